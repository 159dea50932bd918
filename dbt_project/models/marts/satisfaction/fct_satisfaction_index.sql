-- Sums, so that headquarters are exactly the sum of provinces and cities. Each sum of squares is for the interval (a weighted mean is a ratio of two sums).
with roles as (
    select
        m.model,
        m.latent_variable,
        max(m.index_role) as index_role
    from {{ ref('index_models') }} as m
    group by m.model, m.latent_variable
)

select
    concat_ws(
        '|', scores.model, scores.period, scores.latent_variable, scores.source, coalesce(scores.org_unit_id, ''), scores.product_line,
        scores.customer_kind, scores.channel, scores.responded_on
    ) as index_cell_id,
    scores.model,
    scores.period,
    scores.latent_variable,
    coalesce(roles.index_role, 'none') as index_role,
    scores.source,
    scores.org_unit_id,
    {{ or_unknown('any_value(units.province_id)') }} as province_id,
    scores.product_line,
    scores.customer_kind,
    scores.channel,
    count(*) as responses,
    count(scores.index_score) as respondents,
    round(coalesce(sum(scores.response_weight) filter (where scores.index_score is not null), 0), 6) as weight_sum,
    round(coalesce(sum(scores.response_weight * scores.response_weight) filter (where scores.index_score is not null), 0), 6) as weight_squares_sum,
    round(coalesce(sum(scores.response_weight * scores.index_score), 0), 6) as weighted_index_sum,
    round(coalesce(sum(scores.response_weight * scores.response_weight * scores.index_score), 0), 6) as weighted_index_times_weight_sum,
    round(coalesce(sum(scores.response_weight * scores.response_weight * scores.index_score * scores.index_score), 0), 6) as weighted_index_squares_sum,
    round(coalesce(sum(scores.response_weight) filter (where scores.own_index_score is not null), 0), 6) as own_weight_sum,
    round(coalesce(sum(scores.response_weight * scores.own_index_score), 0), 6) as own_weighted_index_sum,
    scores.responded_on
from {{ ref('fct_index_responses') }} as scores
left join roles on scores.model = roles.model and scores.latent_variable = roles.latent_variable
left join {{ ref('dim_org_units') }} as units on scores.org_unit_id = units.org_unit_id
group by
    scores.model, scores.period, scores.latent_variable, roles.index_role, scores.source, scores.org_unit_id, scores.product_line,
    scores.customer_kind, scores.channel, scores.responded_on
