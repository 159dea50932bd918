-- Each method ranks the provinces of a year; how far the ranks agree is Kendall's W (ties corrected) over the provinces that every method of
-- the year could judge. A method that could not judge any two provinces takes no part.
with judged as (
    select
        cast(date_trunc('year', methods.month_begin) as date) as year_begin,
        units.province_id,
        methods.method,
        cast(sum(methods.judgements) as bigint) as judgements,
        sum(methods.score_sum) / nullif(sum(methods.judgements), 0) as score_100
    from {{ ref('fct_satisfaction_methods') }} as methods
    inner join {{ ref('dim_org_units') }} as units on methods.org_unit_id = units.org_unit_id
    where units.province_id is not null
    group by all
    having sum(methods.judgements) >= {{ threshold('method_minimum_base') }}
),

methods as (
    select
        year_begin,
        method,
        count(*) over (partition by year_begin) as methods
    from judged
    group by year_begin, method
    having count(*) >= 2
),

usable as (
    select
        judged.*,
        count(*) over (partition by judged.year_begin, judged.province_id)
        = methods.methods as is_compared
    from judged
    inner join methods on judged.year_begin = methods.year_begin and judged.method = methods.method
),

-- Ties share the mean of the ranks that they take.
ranked as (
    select
        usable.*,
        rank() over ranking + (count(*) over tied - 1) / 2.0 as score_rank,
        count(*) over tied as tied,
        count(*) over (partition by usable.year_begin, usable.method) as provinces
    from usable
    where usable.is_compared
    window
        ranking as (partition by usable.year_begin, usable.method order by usable.score_100 desc),
        tied as (partition by usable.year_begin, usable.method, usable.score_100)
),

of_province as (
    select
        year_begin,
        province_id,
        count(*) as methods,
        sum(score_rank) as rank_sum,
        any_value(provinces) as provinces,
        max(score_rank) - min(score_rank) as rank_range
    from ranked
    group by year_begin, province_id
),

ties as (
    select
        year_begin,
        sum(tied * tied - 1) as correction
    from ranked
    group by year_begin
),

of_year as (
    select
        of_province.year_begin,
        any_value(of_province.methods) as methods,
        any_value(of_province.provinces) as provinces,
        sum(of_province.rank_sum * of_province.rank_sum) - sum(of_province.rank_sum) * sum(of_province.rank_sum) / count(*) as squares
    from of_province
    group by of_province.year_begin
),

concordance as (
    select
        of_year.year_begin,
        of_year.methods,
        of_year.provinces,
        case
            when of_year.methods >= 2 and of_year.provinces >= 2
                then 12.0 * of_year.squares
                / nullif(
                    of_year.methods * of_year.methods * (of_year.provinces * of_year.provinces * of_year.provinces - of_year.provinces) - of_year.methods * ties.correction,
                    0
                )
        end as concordance
    from of_year
    inner join ties on of_year.year_begin = ties.year_begin
)

select
    ranked.year_begin,
    ranked.province_id as org_unit_id,
    ranked.method,
    ranked.judgements,
    ranked.score_100,
    ranked.score_rank,
    cast(concordance.provinces as integer) as provinces,
    cast(concordance.methods as integer) as methods,
    of_province.rank_range / nullif(concordance.provinces - 1, 0) as rank_disagreement,
    concordance.concordance,
    1 - concordance.concordance as disagreement
from ranked
inner join of_province on ranked.year_begin = of_province.year_begin and ranked.province_id = of_province.province_id
inner join concordance on ranked.year_begin = concordance.year_begin
