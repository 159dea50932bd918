def model(dbt, session):
    from orchestration.modelling import mode_effects

    dbt.config(materialized="table")
    found = mode_effects.mode_effects(dbt.ref("ftr_survey_mode_classes").pl())
    return session.from_arrow(found.to_arrow())
