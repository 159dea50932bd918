{#- Connected components: relation (node, other) of undirected edges and relation (node) -> select node, component,
    where component is the smallest node number of the component. Smallest labels travel along edges until none falls. -#}
{% macro connected_components(nodes, edges) -%}
    with recursive labels (node, component) using key (node) as (
        select node, node as component from {{ nodes }}
        union
        select
            e.other as node,
            min(l.component) as component
        from labels as l
        inner join {{ edges }} as e on l.node = e.node
        inner join recurring.labels as r on e.other = r.node
        where l.component < r.component
        group by e.other
    )

    select node, component from labels
{%- endmacro %}
