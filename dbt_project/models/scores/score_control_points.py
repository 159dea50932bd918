def model(dbt, session):
    from orchestration.modelling import control
    from orchestration.score_tables import relation_of

    thresholds = {row["threshold"]: row["value"] for row in dbt.ref("service_thresholds").pl().to_dicts()}
    budget = control.Budget(
        baseline_weeks=int(thresholds["control_baseline_weeks"]),
        baseline_points=int(thresholds["control_baseline_points"]),
        false_alarms_a_month=thresholds["control_false_alarms"],
        run_share=thresholds["control_run_share"],
        trim=thresholds["control_trim"],
        rare_events=int(thresholds["control_rare_events"]),
        rare_baseline=int(thresholds["control_rare_baseline"]),
        rare_share=thresholds["control_rare_share"],
    )
    points = dbt.ref("ftr_control_points").filter("is_charted").select(*control.NEEDED).pl()
    return relation_of(session, control.judge_all(points, budget), "score_control_points")
