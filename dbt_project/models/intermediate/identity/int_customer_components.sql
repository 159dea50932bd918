-- One row per customer node with the smallest node of its group.
{{ connected_components(ref('int_customer_nodes'), ref('int_customer_edges')) }}
