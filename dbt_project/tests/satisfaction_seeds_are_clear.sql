-- What these seeds say must have one meaning: a slip would change an index or a rate, and nobody would see it.
select
    'index_models' as seed,
    m.model as named
from {{ ref('index_models') }} as m
group by m.model
having
    count(distinct m.scheme) <> 1
    or min(m.scheme) not in ('path', 'centroid', 'factorial')
    or count(distinct m.survey) <> 1
    or count(*) <> count(distinct concat(m.latent_variable, ' ', m.antecedent))
union all
select
    'index_models' as seed,
    concat(m.model, ' ', m.latent_variable) as named
from {{ ref('index_models') }} as m
group by m.model, m.latent_variable
having count(distinct coalesce(m.index_role, 'none')) <> 1 or max(coalesce(m.index_role, 'none')) not in ('satisfaction', 'loyalty', 'none')
union all
select
    'index_models' as seed,
    concat(m.model, ' two latent variables are its ', m.index_role) as named
from {{ ref('index_models') }} as m
where m.index_role is not null
group by m.model, m.index_role
having count(distinct m.latent_variable) > 1
union all
select
    'index_models' as seed,
    concat(m.model, ' ', m.antecedent, ' is no latent variable of it') as named
from {{ ref('index_models') }} as m
left join {{ ref('index_models') }} as known on m.model = known.model and m.antecedent = known.latent_variable
where m.antecedent is not null and known.model is null
union all
select
    'index_weights' as seed,
    concat(w.model, ' ', w.valid_from, ' ', w.item) as named
from {{ ref('index_weights') }} as w
left join {{ ref('index_models') }} as m on w.model = m.model and w.latent_variable = m.latent_variable
where w.valid_from is null or coalesce(w.weight <= 0, true) or m.model is null
union all
select
    'loop_callbacks' as seed,
    concat(c.dimension, ' ', c.value) as named
from {{ ref('loop_callbacks') }} as c
where
    c.dimension not in ('purpose', 'result')
    or c.value is null
    or c.is_contact is null
    or (c.dimension = 'purpose' and c.is_solved is not null)
    or (c.is_solved is not null and not c.is_contact)
union all
select
    'loop_follow_ups' as seed,
    f.survey as named
from {{ ref('loop_follow_ups') }} as f
where f.survey is null or f.follow_up is null or f.question_role is null
