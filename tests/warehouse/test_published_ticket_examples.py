"""The published example of business time under two schedules, from the files of a help desk through every model.

A ticket is created on Tuesday 2020-09-29 17:01:38 under schedule A (every day 12:00 to 02:00 of the next day), moves to schedule B (15:00 to
00:30 of the next day) on Wednesday, and has its first public reply on Wednesday 19:01:46. Moved at 19:01:25 it took 960.1333 minutes by
all schedules; the second ticket moved at 14:00 and tells the three rules apart. All times are UTC.
"""

from __future__ import annotations

import pytest

from tests.warehouse.shop_project import ShopProject, make_shop_project, opened

READ = ("dim_agents", "fct_ticket_hand_overs", "fct_tickets")

CUSTOMER, AGENT, COLLEAGUE, BOT, SYSTEM = "9000000001", "7000000012", "7000000013", "7900000001", "-1"
TICKETS = "id,created_at,updated_at,status,priority,requester_id,assignee_id,via_channel,via_source_from_id,via_source_rel,tags"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    project = make_shop_project(tmp_path_factory.mktemp("published"), "zendesk", "crm")
    for name, opens, closes in (("A", "12:00", "02:00"), ("B", "15:00", "00:30")):
        project.add_to_seed("schedules", *(f"{name},{day},{opens},{closes},,,UTC," for day in range(1, 8)))
    created = "2020-09-29T17:01:38Z"
    tickets = [TICKETS]
    for number in (1, 2, 3, 4, 5):
        tags = {4: "vip closed_by_merge", 5: "spam"}.get(number, "")
        origin = "1,merge" if number == 4 else ","
        tickets.append(f"{number},{created},2020-10-02T00:00:00Z,open,normal,{CUSTOMER},{AGENT},email,{origin},{tags}")
    history = ["ticket_id,field_name,updated,user_id,value"]
    for number, moved in ((1, "2020-09-30T19:01:25Z"), (2, "2020-09-30T14:00:00Z")):
        history += [f"{number},schedule_id,{created},{SYSTEM},A", f"{number},schedule_id,{moved},{SYSTEM},B"]
    # Ticket 3: an agent hands over at the end of a shift, the colleague in the middle of one; a priority is raised after the reply.
    history += [
        f"3,status,{created},{CUSTOMER},new",
        f"3,priority,{created},{CUSTOMER},normal",
        f"3,assignee_id,2020-09-30T00:10:00Z,{SYSTEM},{AGENT}",
        f"3,status,2020-09-30T00:10:00Z,{SYSTEM},open",
        f"3,assignee_id,2020-09-30T10:10:00Z,{SYSTEM},{COLLEAGUE}",
        f"3,priority,2020-10-01T00:00:00Z,{AGENT},urgent",
        f"3,assignee_id,2020-10-01T03:00:00Z,{SYSTEM},{AGENT}",
        f"3,status,2020-10-01T05:00:00Z,{AGENT},solved",
    ]
    comments = ["id,ticket_id,user_id,created,public,body,voice_comment"]
    for number in (1, 2):
        comments += [
            f"{number}1,{number},{CUSTOMER},{created},true,Where is my order?,false",
            f"{number}2,{number},{BOT},2020-09-29T17:02:00Z,true,We have received your message,false",
            f"{number}3,{number},{AGENT},2020-09-29T18:00:00Z,false,a note among us,false",
            f"{number}4,{number},{AGENT},2020-09-30T19:01:46Z,true,It is on its way,false",
        ]
    comments.append(f"34,3,{AGENT},2020-09-30T01:00:00Z,true,We are looking into it,false")
    # The agent has left since: in the newest list of people he is nobody's agent any more.
    agents = ["agent_no,name,unit_code,role,hired,left,valid_from,valid_to"]
    agents += ["A00012,Gone,U1,agent,2019-01-01,2020-10-01,2019-01-01,", "A00013,Here,U1,agent,2019-01-01,,2019-01-01,"]
    project.deliver("agents_20201002.csv", "\n".join(agents) + "\n", source="crm")
    project.deliver("tickets_20201002.csv", "\n".join(tickets) + "\n", source="zendesk")
    project.deliver("ticket_field_history_20201002.csv", "\n".join(history) + "\n", source="zendesk")
    project.deliver("ticket_comments_20201002.csv", "\n".join(comments) + "\n", source="zendesk")
    # Shanghai time. A00012 works 08:00 to 18:00 on the 30th with a break; A00013 works 08:00 to 18:00 on the 1st.
    rosters = ["roster_id,agent_no,unit_code,activity,start_time,end_time"]
    rosters += [
        "R1,A00012,U1,on_shift,2020/09/30 08:00:00,2020/09/30 12:00:00",
        "R2,A00012,U1,break,2020/09/30 12:00:00,2020/09/30 13:00:00",
        "R3,A00012,U1,on_shift,2020/09/30 13:00:00,2020/09/30 18:00:00",
        "R4,A00013,U1,on_shift,2020/10/01 08:00:00,2020/10/01 18:00:00",
    ]
    project.deliver("rosters_20201002.csv", "\n".join(rosters) + "\n", source="crm")
    project.load("load-1")
    project.build(*READ)
    return project


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ticket", "all_schedules", "last", "first"),
    [("1", 960.1333, 690.1333, 960.1333), ("2", 900.1333, 690.1333, 960.1333)],
)
def test_business_time_by_every_rule(
    project: ShopProject, ticket: str, all_schedules: float, last: float, first: float
) -> None:
    with opened(project) as connection:
        found = connection.execute(
            "select first_reply_business_seconds, first_reply_business_seconds_by_last_schedule,"
            " first_reply_business_seconds_by_first_schedule, first_reply_seconds from fct_tickets where ticket_id = ?",
            [ticket],
        ).fetchone()
    assert found is not None
    assert tuple(round(seconds / 60, 4) for seconds in found) == (all_schedules, last, first, 1560.1333)


@pytest.mark.slow
def test_hand_overs_with_and_without_a_shift_change(project: ShopProject) -> None:
    with opened(project) as connection:
        found = connection.execute(
            "select from_agent_id, to_agent_id, priority, is_shift_change from fct_ticket_hand_overs where ticket_id = '3' order by handed_over_at"
        ).fetchall()
        counted = connection.execute(
            "select hand_overs, shift_hand_overs, hand_overs_without_roster from fct_tickets where ticket_id = '3'"
        ).fetchone()
    assert found == [("A00012", "A00013", "normal", True), ("A00013", "A00012", "urgent", False)]
    assert counted == (2, 1, 0)


@pytest.mark.slow
def test_an_agent_who_left_is_still_the_agent_of_that_message(project: ShopProject) -> None:
    with opened(project) as connection:
        (employed,) = connection.execute("select is_employed from dim_agents where agent_id = 'A00012'").fetchall()
        found = connection.execute(
            "select public_agent_replies, first_public_reply_at::varchar from fct_tickets where ticket_id in ('1', '3') order by ticket_id"
        ).fetchall()
    assert employed == (False,)
    assert found == [(1, "2020-09-30 19:01:46"), (1, "2020-09-30 01:00:00")]


@pytest.mark.slow
def test_priority_is_that_of_the_event(project: ShopProject) -> None:
    with opened(project) as connection:
        found = connection.execute(
            "select priority_at_creation, priority_at_first_reply, priority_at_first_resolution from fct_tickets where ticket_id = '3'"
        ).fetchone()
    assert found == ("normal", "normal", "urgent")


@pytest.mark.slow
def test_merged_and_spam_tickets_are_out_of_the_base(project: ShopProject) -> None:
    with opened(project) as connection:
        found = connection.execute(
            "select ticket_id, is_in_base, exclusion_kind, merged_into_ticket_id, merged_tickets from fct_tickets order by 1"
        ).fetchall()
    assert found == [
        ("1", True, None, None, 1), ("2", True, None, None, 0), ("3", True, None, None, 0),
        ("4", False, "merged", "1", 0), ("5", False, "spam", None, 0),
    ]  # fmt: skip
