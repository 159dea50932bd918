def model(dbt, session):
    from orchestration.modelling import mode_effects
    from orchestration.score_tables import relation_of

    dbt.config(materialized="table")
    found = mode_effects.mode_effects(dbt.ref("ftr_survey_mode_classes").pl())
    return relation_of(session, found, "score_mode_effects")
