def model(dbt, session):
    from orchestration.modelling.hot_issues import hot_issues
    from orchestration.score_tables import relation_of

    dbt.config(materialized="table")
    days = dbt.ref("ftr_hot_issue_days").pl()
    thresholds = dict(dbt.ref("service_thresholds").project("threshold, value").fetchall())
    frame = hot_issues(
        days,
        baseline_days=int(thresholds["hot_baseline_days"]),
        least_days=int(thresholds["hot_least_days"]),
        window_days=int(thresholds["hot_window_days"]),
        least_customers=int(thresholds["hot_least_customers"]),
        false_alarms_per_day=thresholds["hot_false_alarms"],
        quiet_days=int(thresholds["hot_quiet_days"]),
        longest_days=int(thresholds["hot_longest_days"]),
    )
    return relation_of(session, frame, "score_hot_issues")
