select
    figures.model,
    figures.period,
    figures.figure,
    coalesce(figures.latent_variable, '') as latent_variable,
    coalesce(figures.antecedent, '') as antecedent,
    coalesce(figures.item, '') as item,
    figures.figure_value,
    figures.low,
    figures.high,
    figures.respondents,
    figures.scheme,
    figures.reason,
    figures.model_version,
    figures.as_of
from {{ ref('score_index_paths') }} as figures
