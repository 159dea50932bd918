def model(dbt, session):
    from orchestration.modelling.paths import path_figures

    answers = dbt.ref("ftr_index_answers").pl()
    models = dbt.ref("index_models").pl()
    return session.from_arrow(path_figures(answers, models).to_arrow())
