"""Words of exports, English and Chinese: what column names and codes usually mean.

Belongs here: the dictionaries behind the guesses of `new_source`. Does not belong here: the guessing.
"""

from __future__ import annotations

import re

_ENGLISH = {
    "id": "id no nr num number key uuid guid identifier code",
    "": "at on time date datetime timestamp dt ts day seconds second secs sec utc local the of is has",
    "ticket": "ticket case incident sr",
    "customer": "customer client subscriber user member requester visitor caller cust consumer",
    "agent": "agent clerk operator assignee staff employee representative rep advisor handler",
    "unit": "unit office department dept branch store hall organisation organization organisational",
    "created": "created create opened open creation registered reported logged submitted received",
    "closed": "closed close closing",
    "solved": "solved resolved solve fixed",
    "updated": "updated update modified modification changed lastmodified",
    "due": "due deadline target promised",
    "kind": "kind type category class",
    "status": "status state stage",
    "channel": "channel via medium origin",
    "started": "started start begin began beginning from",
    "ended": "ended end finish finished stop until to",
    "call": "call",
    "wait": "wait waiting waited",
    "answered": "answered answer pickup connected",
    "talk": "talk conversation billsec",
    "hold": "hold held onhold",
    "wrap_up": "wrapup acw aftercall",
    "phone": "phone telephone mobile tel msisdn cellphone",
    "email": "email mail",
    "amount": "amount sum total",
    "product": "product products",
    "name": "name fullname",
    "language": "language lang locale",
    "subject": "subject title headline",
    "comment": "comment comments feedback remark remarks verbatim",
    "response": "response reply submission",
    "survey": "survey questionnaire poll",
    "score": "score points rating grade",
    "quantity": "quantity qty count units",
    "currency": "currency ccy curr",
    "birth": "birth birthday dob born",
}
_PHRASES = {
    "org_unit": "unit", "work_order": "ticket", "wrap_up": "wrap_up", "after_call": "wrap_up", "ticket_event": "event",
    "call_event": "event", "message_session": "session", "agent_state": "agentstate", "improvement_action": "action",
    "operational_event": "event", "product_line": "product_line", "e_mail": "email", "last_modified": "updated",
    "last_updated": "updated", "service_request": "ticket", "date_of_birth": "birth",
}  # fmt: skip
_CHINESE = {
    "工单": "ticket", "客户": "customer", "用户": "customer", "会员": "customer", "编号": "id", "标识": "id", "号": "id", "编码": "id", "代码": "id",
    "客服工号": "agent id", "员工工号": "agent id", "坐席工号": "agent id", "座席工号": "agent id", "工号": "agent id",
    "坐席": "agent", "座席": "agent", "客服": "agent", "员工": "agent", "处理人": "agent", "受理人": "agent", "经办人": "agent",
    "时间": "", "日期": "", "时刻": "", "的": "", "创建": "created", "建立": "created", "受理": "created", "登记": "created", "提交": "created",
    "更新": "updated", "修改": "updated", "最后": "", "关闭": "closed", "结单": "closed", "办结": "closed", "解决": "solved", "截止": "due", "到期": "due",
    "渠道": "channel", "来源": "channel", "类型": "kind", "类别": "kind", "分类": "kind", "种类": "kind", "状态": "status", "优先级": "priority",
    "紧急程度": "priority", "部门": "unit", "机构": "unit", "营业厅": "unit", "网点": "unit", "单位": "unit", "组织": "unit", "标题": "subject", "描述": "description",
    "内容": "description", "备注": "description", "语言": "language", "产品线": "product_line", "产品": "product", "业务": "product",
    "通话": "call", "呼叫": "call", "话单": "call", "流水": "", "开始": "started", "结束": "ended", "接听": "answered", "应答": "answered", "排队": "queued",
    "等待": "wait", "时长": "", "秒数": "", "秒": "", "保持": "hold", "主叫": "customer identifier", "来电": "customer identifier", "被叫": "line", "号码": "",
    "队列": "queue", "技能组": "queue", "方向": "direction", "手机": "phone", "电话": "phone", "邮箱": "email", "邮件": "email", "合同": "contract",
    "金额": "amount", "币种": "currency", "数量": "quantity", "成本": "cost", "交易": "transaction", "账单": "transaction", "订单": "transaction",
    "账户": "account", "帐户": "account", "账号": "account id", "姓名": "customer name", "名称": "name", "地区": "region", "行业": "industry", "出生": "birth",
    "问卷": "survey", "调查": "survey", "答卷": "response", "回复": "responded", "答复": "responded", "发送": "sent", "邀请": "invitation", "问题": "question",
    "题目": "question", "批次": "wave", "权重": "weight", "评分": "score", "得分": "score", "分数": "score", "满意度": "score", "意见": "comment", "评语": "comment",
    "会话": "session", "轮次": "rounds", "事件": "event", "动作": "action", "原因": "reason", "结果": "result", "发生": "occurred", "变更": "occurred",
    "生效": "valid started", "失效": "valid ended", "入职": "hired", "离职": "left", "角色": "role", "上级": "parent", "级别": "level", "层级": "level",
    "时区": "zone", "月费": "monthly fee", "套餐": "plan", "主题": "topic", "子主题": "subtopic", "触点": "touch point", "付款": "paid", "支付": "paid",
}  # fmt: skip
_WORDS = {word: meaning for meaning, several in _ENGLISH.items() for word in several.split()}
_LONGEST_FIRST = sorted(_CHINESE, key=len, reverse=True)

COLUMN_NAMES: dict[str, tuple[str, ...]] = {
    "org_unit_id": ("branch", "office", "department", "province", "unit_code", "营业厅", "部门", "省份", "所属机构"),
    "agent_id": ("owner", "owner_id", "assigned_to", "handled_by", "agent_no", "处理人", "受理人"),
    "ticket_kind": ("request_type", "contact_reason", "诉求类型", "业务类型"),
    "ticket_status": ("status", "state", "处理状态"),
    "priority": ("urgency", "severity", "紧急程度"),
    "subject": ("title", "summary", "标题"),
    "description": ("note", "notes", "body", "text", "details", "content", "诉求内容", "备注", "内容", "描述"),
    "created_at": ("entered", "来电时间", "受理时间", "登记时间"),
    "due_at": ("sla_due", "时限", "截止时间"),
    "topic": ("subject_area", "theme", "主题"),
    "resolution_code": ("resolution", "outcome", "处理结果"),
    "product_line": ("product", "business_line", "产品", "业务"),
    "caller_identifier": (
        "caller",
        "caller_number",
        "ani",
        "src",
        "phone",
        "phone_number",
        "calling_number",
        "主叫号码",
        "来电号码",
    ),
    "line": ("dnis", "dst", "called_number", "被叫号码", "热线"),
    "disposition": ("result", "outcome", "call_result", "通话结果", "接听状态"),
    "ended_by": ("hangup_by", "hung_up_by", "挂机方"),
    "wait_seconds": ("queue_time", "queue_seconds", "排队时长", "等待时长"),
    "talk_seconds": ("duration", "call_duration", "通话时长"),
    "hold_seconds": ("保持时长",),
    "wrap_up_seconds": ("acw_seconds", "after_call_work", "话后时长", "整理时长"),
    "started_at": ("call_time", "呼入时间", "来电时间", "呼叫时间", "进线时间"),
    "ended_at": ("hangup_time", "hung_up_at", "挂断时间", "挂机时间"),
    "answered_at": ("pickup_time", "接听时间", "应答时间"),
    "occurred_at": (
        "event_time",
        "created_at",
        "posted_at",
        "transaction_date",
        "booking_date",
        "发生时间",
        "交易时间",
        "变更时间",
    ),
    "responded_at": (
        "submitted_at",
        "answered_at",
        "completed_at",
        "提交时间",
        "答复时间",
        "回复时间",
        "评价时间",
        "回访日期",
        "回访时间",
    ),
    "sent_at": ("invited_at", "发送时间"),
    "answer_value": ("score", "rating", "value", "answer", "评分", "得分", "分数", "满意度"),
    "answer_text": ("answer_label", "verbatim", "答案", "回答"),
    "question_id": ("question", "item", "题号"),
    "question_text": ("question_wording", "题目", "问题"),
    "comment": ("feedback", "remarks", "free_text", "意见", "评语", "建议"),
    "base_weight": ("weight", "权重"),
    "customer_name": ("name", "full_name", "姓名", "客户名称"),
    "agent_name": ("name", "full_name", "姓名", "坐席姓名"),
    "unit_name": ("name", "department_name", "名称", "部门名称", "机构名称"),
    "region": ("city", "area", "address", "district", "地区", "城市", "地址", "所在城市", "所在地区"),
    "birth_date": ("birthday", "dob", "出生日期", "生日"),
    "customer_since": ("registered_at", "created_at", "joined_on", "注册时间", "入网时间", "入网日期"),
    "monthly_fee": ("price", "fee", "rent", "月费", "月租"),
    "product_name": ("plan", "tariff", "product", "套餐"),
    "started_on": ("start_date", "valid_from", "effective_date", "生效日期"),
    "ended_on": ("end_date", "valid_to", "expiry_date", "失效日期"),
    "valid_from": ("start_date", "effective_from", "生效日期"),
    "valid_to": ("end_date", "effective_to", "失效日期"),
    "parent_unit_id": ("parent", "parent_id", "上级机构", "上级部门"),
    "unit_level": ("level", "级别", "层级"),
    "identifier_value": ("value", "identifier"),
    "identifier_kind": ("kind", "identifier_type"),
}
"""Other names under which a feed's column arrives, beyond those whose words are the same."""

VALUE_NAMES: dict[str, tuple[str, ...]] = {
    "phone": ("voice", "call", "tel", "telephone", "hotline", "mobile", "电话", "来电", "热线", "语音", "手机"),
    "email": ("mail", "e_mail", "邮件", "电子邮件", "邮箱"),
    "web": ("website", "portal", "online", "网站", "网上营业厅", "网页", "官网"),
    "chat": ("web_chat", "webchat", "live_chat", "在线客服", "在线", "网聊"),
    "app": ("mobile_app", "native_messaging", "手机app", "客户端", "掌上营业厅"),
    "social": ("wechat", "weibo", "facebook", "twitter", "whatsapp", "微信", "微博", "公众号"),
    "hall": ("store", "branch", "walk_in", "counter", "营业厅", "柜台", "门店"),
    "letter": ("post", "信函", "信件", "来信"),
    "fax": ("传真",),
    "self_service": ("self_help", "ivr", "自助", "自助服务"),
    "enquiry": ("inquiry", "question", "consult", "consultation", "info", "咨询", "查询"),
    "complaint": ("complain", "grievance", "投诉", "申诉"),
    "request": ("service_request", "办理", "业务办理", "服务请求", "申请"),
    "repair": ("fault", "defect", "breakdown", "报障", "故障", "报修", "维修"),
    "order": ("purchase", "订购", "订单", "下单"),
    "incident": ("outage", "事件"),
    "low": ("minor", "低"),
    "normal": ("medium", "standard", "普通", "一般", "中", "正常"),
    "high": ("major", "important", "高"),
    "urgent": ("紧急", "加急"),
    "critical": ("blocker", "特急", "严重", "非常紧急"),
    "new": ("新建", "新", "待受理"),
    "open": ("in_progress", "active", "assigned", "processing", "处理中", "受理中", "已受理", "进行中"),
    "pending": ("waiting", "awaiting_customer", "待处理", "待回复", "等待中"),
    "hold": ("on_hold", "suspended", "挂起", "暂停"),
    "solved": ("resolved", "fixed", "已解决", "解决"),
    "closed": ("done", "completed", "finished", "已关闭", "关闭", "已完成", "完成", "已办结", "办结", "已结单"),
    "deleted": ("removed", "已删除"),
    "merged": ("已合并", "合并"),
    "spam": ("junk", "垃圾"),
    "test": ("测试",),
    "duplicate": ("重复",),
    "inbound": ("in", "incoming", "呼入", "来电"),
    "outbound": ("out", "outgoing", "呼出", "外呼"),
    "internal": ("内部", "内线"),
    "answered": ("completed", "connected", "accepted", "接通", "已接听", "已接", "接听"),
    "abandoned": ("no_answer", "missed", "lost", "放弃", "未接", "未接听", "呼损"),
    "busy": ("忙", "占线"),
    "failed": ("error", "失败"),
    "customer": ("caller", "client", "end_user", "user", "客户", "用户"),
    "agent": ("staff", "operator", "坐席", "座席", "客服"),
    "system": ("auto", "系统"),
    "bot": ("robot", "机器人"),
    "human": ("agent", "人工"),
    "person": ("individual", "private", "consumer", "个人", "个人客户"),
    "household": ("family", "家庭", "家庭客户"),
    "enterprise": ("business", "company", "corporate", "企业", "集团", "政企", "企业客户"),
    "csat": ("satisfaction", "满意度"),
    "nps": ("recommendation", "推荐度"),
    "ces": ("effort", "费力度"),
    "payment": ("paid", "付款", "缴费", "支付"),
    "invoice": ("bill", "账单", "发票"),
    "charge": ("fee", "费用", "扣费"),
    "return": ("refund", "退款", "退货"),
    "owner": ("holder", "户主", "机主"),
    "headquarters": ("hq", "head_office", "总部"),
    "region": ("大区", "区域"),
    "province": ("省", "省公司", "分公司"),
    "city": ("市", "地市", "市公司"),
    "team": ("group", "班组", "小组", "团队"),
    "member": ("会员",),
    "contract": ("合同",),
    "account": ("账户", "帐户"),
}
"""Codes (lower case, spaces and hyphens as `_`) that usually stand for an accepted value."""


def words(name: str) -> frozenset[str]:
    """What a column's name says, in the words of the feeds; words of time and of units of measure say nothing.

    >>> sorted(words("客户编号")), sorted(words("Customer No")), sorted(words("创建时间")), sorted(words("opened_at"))
    (['customer', 'id'], ['customer', 'id'], ['created'], ['created'])
    """
    text = re.sub(r"[^\w]+|_+", " ", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)).strip().lower()
    for phrase, meaning in _PHRASES.items():
        text = re.sub(rf"\b{phrase.replace('_', ' ')}\b", meaning, text)
    found: list[str] = []
    for token in text.split():
        if re.search(r"[\u3400-\u9fff]", token):
            found += _chinese(token)
        else:
            found.append(_WORDS.get(token, token))
    return frozenset(word for word in found if word)


def _chinese(token: str) -> list[str]:
    found, rest, place = [], "", 0
    while place < len(token):
        phrase = next((phrase for phrase in _LONGEST_FIRST if token.startswith(phrase, place)), None)
        if phrase is None:
            rest += token[place]
            place += 1
        else:
            found += _CHINESE[phrase].split()
            place += len(phrase)
    return [*found, rest] if rest else found
