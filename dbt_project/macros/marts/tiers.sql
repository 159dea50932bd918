{#- The schemes of seeds/tier_schemes.csv, best grade first, or an error in words. Read when the model is compiled: lines and grades of a scheme become
    constants and one `case`, and a broken scheme stops the night before anything is graded by it. -#}
{% macro tier_schemes() -%}
    {%- set seed = ref('tier_schemes') -%}
    {%- set schemes = [] -%}
    {%- if execute -%}
        {%- set by_name = {} -%}
        {%- set shared = ['basis', 'window_months', 'cut_kind', 'ties', 'crossing', 'hysteresis', 'minimum_stay_months', 'minimum_months', 'customer_kinds', 'is_default'] -%}
        {%- for line in run_query("select * from " ~ seed ~ " order by scheme, grade_rank").rows -%}
            {%- set name = line['scheme'] -%}
            {%- if name not in by_name -%}
                {%- set scheme = {'scheme': name, 'number': by_name | length + 1, 'grades': []} -%}
                {%- for column in shared -%} {%- do scheme.update({column: line[column]}) -%} {%- endfor -%}
                {%- do scheme.update({'kinds': (line['customer_kinds'] or '').replace(' ', '').split(';')}) -%}
                {%- do by_name.update({name: scheme}) -%}
                {%- do schemes.append(scheme) -%}
            {%- endif -%}
            {%- for column in shared if by_name[name][column] != line[column] -%}
                {{ _broken_scheme(name, column ~ " differs between its rows") }}
            {%- endfor -%}
            {%- do by_name[name]['grades'].append({'grade': line['grade'], 'rank': line['grade_rank'], 'cut': line['cut']}) -%}
        {%- endfor -%}
        {%- for scheme in schemes -%} {{ _check_scheme(scheme) }} {%- endfor -%}
        {%- set defaults = schemes | selectattr('is_default') | list -%}
        {%- if schemes and defaults | length != 1 -%}
            {%- do exceptions.raise_compiler_error("seeds/tier_schemes.csv: one scheme is to be the default (is_default), " ~ defaults | length ~ " are.") -%}
        {%- endif -%}
    {%- endif -%}
    {{ return(schemes) }}
{%- endmacro %}

{% macro _broken_scheme(name, words) -%}
    {%- do exceptions.raise_compiler_error("seeds/tier_schemes.csv: scheme " ~ name ~ ": " ~ words ~ ".") -%}
{%- endmacro %}

{% macro _check_scheme(scheme) -%}
    {%- set name = scheme['scheme'] -%}
    {%- for column, allowed in {
        'basis': ['revenue', 'profit', 'standing_orders'], 'cut_kind': ['amount', 'customer_share', 'cumulative_share'], 'ties': ['up', 'down'], 'crossing': ['in', 'out'],
    }.items() if scheme[column] not in allowed -%}
        {{ _broken_scheme(name, column ~ " " ~ (scheme[column] or 'without a word') ~ " is none of " ~ allowed | join(', ')) }}
    {%- endfor -%}
    {%- for kind in scheme['kinds'] if kind not in ['person', 'household', 'enterprise', 'unknown'] -%}
        {{ _broken_scheme(name, "customer kind " ~ (kind or 'without a word') ~ " is none of person, household, enterprise, unknown") }}
    {%- endfor -%}
    {%- for column, low, high in [('window_months', 1, 36), ('minimum_stay_months', 0, 36), ('minimum_months', 1, 36)] -%}
        {%- if scheme[column] is none or scheme[column] < low or scheme[column] > high -%}
            {{ _broken_scheme(name, column ~ " is to be from " ~ low ~ " to " ~ high) }}
        {%- endif -%}
    {%- endfor -%}
    {%- if scheme['minimum_months'] > scheme['window_months'] -%}
        {{ _broken_scheme(name, "minimum_months is more than window_months") }}
    {%- endif -%}
    {%- if scheme['hysteresis'] is none or scheme['hysteresis'] < 0 or scheme['hysteresis'] >= 1 -%}
        {{ _broken_scheme(name, "hysteresis is to be from 0 to below 1") }}
    {%- endif -%}
    {%- set grades = scheme['grades'] -%}
    {%- if grades | length < 2 or grades | length > 99 -%}
        {{ _broken_scheme(name, "a scheme has 2 to 99 grades") }}
    {%- endif -%}
    {%- for grade in grades -%}
        {%- if not grade['grade'] -%}
            {{ _broken_scheme(name, "the grade of rank " ~ grade['rank'] ~ " has no name") }}
        {%- endif -%}
        {%- if grade['rank'] != loop.index -%}
            {{ _broken_scheme(name, "the grade of rank " ~ loop.index ~ " is missing") }}
        {%- endif -%}
        {%- if loop.last -%}
            {%- if grade['cut'] is not none -%}
                {{ _broken_scheme(name, "the lowest grade " ~ grade['grade'] ~ " takes all others and has no cut") }}
            {%- endif -%}
        {%- elif grade['cut'] is none -%}
            {{ _broken_scheme(name, "grade " ~ grade['grade'] ~ " has no cut") }}
        {%- else -%}
            {%- if scheme['cut_kind'] != 'amount' and (grade['cut'] <= 0 or grade['cut'] > 1) -%}
                {{ _broken_scheme(name, "the cut of grade " ~ grade['grade'] ~ " is a share and is to be above 0 and at most 1") }}
            {%- endif -%}
            {%- if not loop.first -%}
                {%- set above = grades[loop.index0 - 1] -%}
                {%- if (scheme['cut_kind'] == 'amount' and grade['cut'] >= above['cut']) or (scheme['cut_kind'] != 'amount' and grade['cut'] <= above['cut']) -%}
                    {{ _broken_scheme(name, "the cuts of " ~ above['grade'] ~ " and " ~ grade['grade'] ~ " overlap") }}
                {%- endif -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{#- Bases and windows that the schemes use, as `revenue_12`, and the populations whose distribution is looked at: equal basis, window and kinds once. -#}
{% macro tier_measures(schemes) -%}
    {%- set measures = {} -%}
    {%- for scheme in schemes -%} {%- do measures.update({tier_measure(scheme): {'basis': scheme['basis'], 'window': scheme['window_months']}}) -%} {%- endfor -%}
    {{ return(measures) }}
{%- endmacro %}

{% macro tier_measure(scheme) -%} {{ return(scheme['basis'] ~ '_' ~ scheme['window_months']) }} {%- endmacro %}

{% macro tier_populations(schemes) -%}
    {%- set populations = {} -%}
    {%- for scheme in schemes -%}
        {%- set key = tier_measure(scheme) ~ ':' ~ scheme['kinds'] | sort | join(';') -%}
        {%- if key not in populations -%}
            {%- do populations.update({key: {'population': 'p' ~ (populations | length + 1), 'measure': tier_measure(scheme), 'basis': scheme['basis'],
                'window': scheme['window_months'], 'kinds': scheme['kinds'] | sort, 'schemes': []}}) -%}
        {%- endif -%}
        {%- do populations[key]['schemes'].append(scheme) -%}
    {%- endfor -%}
    {{ return(populations.values() | list) }}
{%- endmacro %}

{#- The months of `int_tier_months`, first to last, when the model is compiled. -#}
{% macro tier_months() -%}
    {%- set relation = ref('int_tier_months') -%}
    {%- set months = [] -%}
    {%- if execute -%}
        {%- for line in run_query("select * from " ~ relation ~ " order by position").rows -%}
            {%- do months.append({'position': line['position'], 'month_number': line['month_number'], 'month': line['month'], 'is_graded': line['is_graded']}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(months) }}
{%- endmacro %}

{#- {scheme: {position: {grade rank: (line to enter, line to keep), in cents}}} of the evaluations that took place. -#}
{% macro tier_lines() -%}
    {%- set relation = ref('int_tier_lines') -%}
    {%- set found = {} -%}
    {%- if execute -%}
        {%- for line in run_query("select scheme, position, grade_rank, enter_cents, keep_cents from " ~ relation ~ " where evaluation_state = 'evaluated' order by 1, 2, 3").rows -%}
            {%- do found.setdefault(line['scheme'], {}).setdefault(line['position'], {}).update({line['grade_rank']: (line['enter_cents'], line['keep_cents'])}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(found) }}
{%- endmacro %}

{#- Rank of the best grade whose line a value reaches; the lowest grade has no line. `which`: 0 = line to enter, 1 = line to keep. -#}
{% macro tier_rank(value, lines, lowest, which) -%}
    {%- set drawn = [] -%}
    {%- for rank, line in lines.items() if line[which] is not none -%} {%- do drawn.append((rank, line[which])) -%} {%- endfor -%}
    {%- if drawn -%}
    case
        {%- for rank, cents in drawn %}
        when {{ value }} >= {{ cents }} then {{ rank }}
        {%- endfor %}
        else {{ lowest }}
    end
    {%- else -%}
    {{ lowest }}
    {%- endif -%}
{%- endmacro %}

{#- A share or amount of the seed as a whole number of its millionth part (of a millionth part, where it was made larger or smaller by the hysteresis),
    so that a value exactly on the line is on it and not beside it. -#}
{% macro in_parts(number, parts) -%} {{ return((number * 10 ** parts) | round | int) }} {%- endmacro %}

{#- Grade that a customer had on a day in the default scheme: the join and, for the select list, the value. `unknown`: nobody knows who it was;
    `not_rated`: known, but without a grade on that day. -#}
{% macro join_customer_tier(key, day) -%}
    left join (
        select
            numbers.customer_key as tier_customer_key,
            grades.grade as tier_grade,
            began.valid_from as tier_from,
            coalesce(ended.valid_from, date '9999-12-31') as tier_to
        from {{ ref('int_customer_tier_changes') }} as changes
        inner join {{ ref('tier_schemes') }} as grades on changes.scheme = grades.scheme and changes.grade_rank = grades.grade_rank and grades.is_default
        inner join {{ ref('int_customer_numbers') }} as numbers on changes.customer_number = numbers.customer_number
        inner join {{ ref('int_tier_months') }} as began on changes.position = began.position
        left join {{ ref('int_tier_months') }} as ended on changes.until_position = ended.position
    ) as customer_tiers
        on {{ key }} = customer_tiers.tier_customer_key and {{ day }} >= customer_tiers.tier_from and {{ day }} < customer_tiers.tier_to
{%- endmacro %}

{% macro customer_tier(key) -%} case when {{ key }} is null then 'unknown' else coalesce(customer_tiers.tier_grade, 'not_rated') end {%- endmacro %}

{#- An amount in currency units from cents. -#}
{% macro from_cents(cents) -%} cast(cast({{ cents }} as decimal(38, 2)) / 100 as decimal(18, 2)) {%- endmacro %}

{#- Bound of the Wilson interval of a share at 95 %; `sign` - or +; null on an empty base. -#}
{% macro wilson_bound(hits, base, sign) -%}
    (
        ({{ hits }} + 1.920729) / nullif({{ base }} + 3.841459, 3.841459)
        {{ sign }} 1.959964 * sqrt({{ hits }} * ({{ base }} - {{ hits }}) / cast(nullif({{ base }}, 0) as double) + 0.960365) / nullif({{ base }} + 3.841459, 3.841459)
    )
{%- endmacro %}

{#- The sentence of a reason with its numbers and the names of the grades, in the language of the column `words`. -#}
{% macro tier_words(words) -%}
    replace(replace(replace(replace(replace(
        {{ words }}, '{value}', cast(tiers.value_amount as varchar)), '{line}', coalesce(cast(tiers.line_amount as varchar), '-')),
        '{window}', cast(tiers.window_months as varchar)), '{grade}', coalesce({{ words | replace('reasons.words', 'grades.label') }}, tiers.grade)),
        '{previous}', coalesce({{ words | replace('reasons.words', 'previous.label') }}, tiers.previous_grade, '-'))
{%- endmacro %}
