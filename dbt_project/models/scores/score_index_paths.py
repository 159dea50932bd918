def model(dbt, session):
    from orchestration.modelling.paths import path_figures
    from orchestration.score_tables import relation_of

    answers = dbt.ref("ftr_index_answers").pl()
    models = dbt.ref("index_models").pl()
    return relation_of(session, path_figures(answers, models), "score_index_paths")
