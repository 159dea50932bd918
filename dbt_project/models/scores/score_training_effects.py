"""Effects of trainings from `ftr_training_sides`; see `orchestration.modelling.quality`."""


def model(dbt, session):  # type: ignore[no-untyped-def]
    from orchestration.modelling.quality import training_effects
    from orchestration.score_tables import relation_of

    dbt.config(materialized="table")
    frame = training_effects(dbt.ref("ftr_training_sides").pl())
    return relation_of(session, frame, "score_training_effects")
