-- The index is a function of the answers, of the weights and of the mix of respondents. Each of the three is changed from the earlier period's to the later one's
-- in every order; its effect is the mean over the six orders (Shapley), so the three add up to the change exactly
-- (but for the rounding to nine digits, which makes two equal runs equal).
with periods as (
    select
        weights.model,
        weights.period,
        min(weights.first_day) as first_day
    from {{ ref('fct_index_weights') }} as weights
    group by weights.model, weights.period
),

pairs as (
    select
        periods.model,
        periods.period,
        periods.first_day,
        lag(periods.period) over (partition by periods.model order by periods.first_day, periods.period) as previous_period
    from periods
    qualify previous_period is not null
),

sets as (
    select
        weights.model,
        weights.period,
        weights.latent_variable,
        weights.item,
        'frozen' as weighting,
        weights.weight
    from {{ ref('fct_index_weights') }} as weights
    where weights.weight is not null
    union all
    select
        weights.model,
        weights.period,
        weights.latent_variable,
        weights.item,
        'own' as weighting,
        weights.own_weight as weight
    from {{ ref('fct_index_weights') }} as weights
    where weights.own_weight is not null
),

sides as (
    select unnest([0, 1]) as side
),

weightings as (
    select unnest(['frozen', 'own']) as weighting
),

mixes as (
    select unnest(['product_line', 'province', 'customer_kind']) as mix_dimension
),

-- 0 = the earlier period, 1 = the later one: whose answers, under whose weights.
uses as (
    select
        pairs.model,
        pairs.period,
        pairs.previous_period,
        answers_of.side as answers_of,
        weights_of.side as weights_of,
        case answers_of.side when 0 then pairs.previous_period else pairs.period end as answers_period,
        case weights_of.side when 0 then pairs.previous_period else pairs.period end as weights_period
    from pairs
    cross join sides as answers_of
    cross join sides as weights_of
),

scored as (
    select
        uses.model,
        uses.period,
        uses.answers_of,
        uses.weights_of,
        sets.weighting,
        answers.latent_variable,
        any_value(answers.org_unit_id) as org_unit_id,
        any_value(answers.product_line) as product_line,
        any_value(answers.customer_kind) as customer_kind,
        any_value(answers.response_weight) as response_weight,
        sum(sets.weight * answers.score_100) / nullif(sum(sets.weight) filter (where answers.score_100 is not null), 0) as score
    from uses
    inner join {{ ref('ftr_index_answers') }} as answers on uses.model = answers.model and uses.answers_period = answers.period
    inner join sets
        on
            uses.model = sets.model
            and uses.weights_period = sets.period
            and answers.latent_variable = sets.latent_variable
            and answers.item = sets.item
    group by
        uses.model, uses.period, uses.answers_of, uses.weights_of, sets.weighting, answers.latent_variable, answers.source, answers.response_id
    having sum(sets.weight) filter (where answers.score_100 is not null) >= {{ threshold('index_answered_share') }} - 1e-6
),

by_mix as (
    select
        scored.model,
        scored.period,
        scored.answers_of,
        scored.weights_of,
        scored.weighting,
        scored.latent_variable,
        mix.mix_dimension,
        case mix.mix_dimension
            when 'product_line' then scored.product_line
            when 'customer_kind' then scored.customer_kind
            else {{ or_unknown('units.province_id') }}
        end as mix_value,
        scored.response_weight,
        scored.score
    from scored
    cross join mixes as mix
    left join {{ ref('dim_org_units') }} as units on scored.org_unit_id = units.org_unit_id
),

cells as (
    select
        by_mix.model,
        by_mix.period,
        by_mix.weighting,
        by_mix.latent_variable,
        by_mix.mix_dimension,
        by_mix.mix_value,
        {%- for answers_of in [0, 1] %}
        {%- for weights_of in [0, 1] %}
        sum(by_mix.response_weight * by_mix.score) filter (where by_mix.answers_of = {{ answers_of }} and by_mix.weights_of = {{ weights_of }})
        / nullif(sum(by_mix.response_weight) filter (where by_mix.answers_of = {{ answers_of }} and by_mix.weights_of = {{ weights_of }}), 0)
            as level_{{ answers_of }}{{ weights_of }},
        {%- endfor %}
        coalesce(sum(by_mix.response_weight) filter (where by_mix.answers_of = {{ answers_of }} and by_mix.weights_of = {{ answers_of }}), 0)
            as base_{{ answers_of }},
        coalesce(
            sum(power(by_mix.response_weight, 2)) filter (where by_mix.answers_of = {{ answers_of }} and by_mix.weights_of = {{ answers_of }}), 0
        ) as squares_{{ answers_of }},
        coalesce(
            sum(power(by_mix.response_weight, 2) * by_mix.score)
                filter (where by_mix.answers_of = {{ answers_of }} and by_mix.weights_of = {{ answers_of }}), 0
        ) as products_{{ answers_of }},
        coalesce(
            sum(power(by_mix.response_weight * by_mix.score, 2))
                filter (where by_mix.answers_of = {{ answers_of }} and by_mix.weights_of = {{ answers_of }}), 0
        ) as score_squares_{{ answers_of }},
        count(*) filter (where by_mix.answers_of = {{ answers_of }} and by_mix.weights_of = {{ answers_of }}) as respondents_{{ answers_of }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from by_mix
    group by by_mix.model, by_mix.period, by_mix.weighting, by_mix.latent_variable, by_mix.mix_dimension, by_mix.mix_value
),

-- A cell that stands in one of the two periods only has no change of level: all that it does is mix.
filled as (
    select
        cells.*,
        {%- for answers_of in [0, 1] %}
        {%- for weights_of in [0, 1] %}
        coalesce(
            cells.level_{{ answers_of }}{{ weights_of }}, cells.level_{{ answers_of }}{{ 1 - weights_of }},
            cells.level_{{ 1 - answers_of }}{{ weights_of }}, cells.level_{{ 1 - answers_of }}{{ 1 - weights_of }}
        ) as filled_{{ answers_of }}{{ weights_of }},
        {%- endfor %}
        cells.base_{{ answers_of }} / nullif(
            sum(cells.base_{{ answers_of }})
                over (partition by cells.model, cells.period, cells.weighting, cells.latent_variable, cells.mix_dimension), 0
        ) as share_{{ answers_of }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from cells
),

-- f_<answers><weights><mix>: the index with the answers, the weights and the mix of the earlier (0) or later (1) period.
totals as (
    select
        filled.model,
        filled.period,
        filled.weighting,
        filled.latent_variable,
        filled.mix_dimension,
        {%- for answers_of in [0, 1] %}
        {%- for weights_of in [0, 1] %}
        {%- for mix_of in [0, 1] %}
        sum(filled.share_{{ mix_of }} * filled.filled_{{ answers_of }}{{ weights_of }}) as f_{{ answers_of }}{{ weights_of }}{{ mix_of }},
        {%- endfor %}
        {%- endfor %}
        sum(filled.base_{{ answers_of }}) as base_{{ answers_of }},
        sum(filled.squares_{{ answers_of }}) as squares_{{ answers_of }},
        sum(filled.products_{{ answers_of }}) as products_{{ answers_of }},
        sum(filled.score_squares_{{ answers_of }}) as score_squares_{{ answers_of }},
        sum(filled.respondents_{{ answers_of }}) as respondents_{{ answers_of }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from filled
    group by filled.model, filled.period, filled.weighting, filled.latent_variable, filled.mix_dimension
),

split as (
    select
        totals.model,
        totals.period,
        totals.weighting,
        totals.latent_variable,
        totals.mix_dimension,
        totals.f_000 as index_before,
        totals.f_111 as index_after,
        totals.respondents_0,
        totals.respondents_1,
        ((totals.f_100 - totals.f_000) + (totals.f_111 - totals.f_011)) / 3 + ((totals.f_110 - totals.f_010) + (totals.f_101 - totals.f_001)) / 6
            as level_effect,
        ((totals.f_010 - totals.f_000) + (totals.f_111 - totals.f_101)) / 3 + ((totals.f_110 - totals.f_100) + (totals.f_011 - totals.f_001)) / 6
            as weight_effect,
        ((totals.f_001 - totals.f_000) + (totals.f_111 - totals.f_110)) / 3 + ((totals.f_101 - totals.f_100) + (totals.f_011 - totals.f_010)) / 6
            as mix_effect,
        {%- for side in [0, 1] %}
        greatest(
            0, totals.score_squares_{{ side }} - 2 * totals.f_{{ side }}{{ side }}{{ side }} * totals.products_{{ side }}
            + power(totals.f_{{ side }}{{ side }}{{ side }}, 2) * totals.squares_{{ side }}
        ) * totals.respondents_{{ side }} / nullif((totals.respondents_{{ side }} - 1) * power(totals.base_{{ side }}, 2), 0) as variance_{{ side }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from totals
),

wanted as (
    select distinct
        pairs.model,
        pairs.period,
        pairs.previous_period,
        pairs.first_day,
        m.latent_variable,
        weightings.weighting,
        mixes.mix_dimension
    from pairs
    inner join {{ ref('index_models') }} as m on pairs.model = m.model
    cross join weightings
    cross join mixes
)

select
    wanted.model,
    wanted.period,
    wanted.previous_period,
    wanted.latent_variable,
    wanted.weighting,
    wanted.mix_dimension,
    round(split.index_before, 9) as index_before,
    round(split.index_after, 9) as index_after,
    round(split.index_after - split.index_before, 9) as index_change,
    round(split.index_after - split.index_before - 1.959964 * sqrt(split.variance_0 + split.variance_1), 9) as index_change_low,
    round(split.index_after - split.index_before + 1.959964 * sqrt(split.variance_0 + split.variance_1), 9) as index_change_high,
    case when split.index_after - split.index_before is not null then round(split.level_effect, 9) end as level_effect,
    case when split.index_after - split.index_before is not null then round(split.weight_effect, 9) end as weight_effect,
    case when split.index_after - split.index_before is not null then round(split.mix_effect, 9) end as mix_effect,
    cast(coalesce(split.respondents_0, 0) as integer) as respondents_before,
    cast(coalesce(split.respondents_1, 0) as integer) as respondents_after,
    least(coalesce(split.respondents_0, 0), coalesce(split.respondents_1, 0)) < {{ threshold('index_minimum_base') }} as is_small_base,
    case when split.index_after - split.index_before is null then 'no_index_in_a_period' end as reason,
    wanted.first_day
from wanted
left join split
    on
        wanted.model = split.model
        and wanted.period = split.period
        and wanted.latent_variable = split.latent_variable
        and wanted.weighting = split.weighting
        and wanted.mix_dimension = split.mix_dimension
