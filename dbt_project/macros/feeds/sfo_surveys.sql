{#- What the airport's questionnaires ask: one entry a question, and its column in each year that has it. The files of 2010 and 2011 name
    their columns by number only; the order of the questions is that of 2012, whose columns carry words. -#}
{% macro sfo_questions() -%}
    {{ return([
        {'id': 'art', 'construct': 'comfort', 'text': 'Artwork and exhibitions',
         'columns': {'2010': 'q6a', '2011': 'q8a', '2012': 'q8a_art', '2013': 'q7a_art', '2014': 'q7art', '2015': 'q7art', '2016': 'q7art'}},
        {'id': 'food', 'construct': 'comfort', 'text': 'Restaurants',
         'columns': {'2010': 'q6b', '2011': 'q8b', '2012': 'q8b_food', '2013': 'q7b_food', '2014': 'q7food', '2015': 'q7food', '2016': 'q7food'}},
        {'id': 'shops', 'construct': 'comfort', 'text': 'Shops',
         'columns': {'2010': 'q6c', '2011': 'q8c', '2012': 'q8c_shop', '2013': 'q7c_shops', '2014': 'q7store', '2015': 'q7store', '2016': 'q7store'}},
        {'id': 'signs', 'construct': 'orientation', 'text': 'Signs inside',
         'columns': {'2010': 'q6d', '2011': 'q8d', '2012': 'q8d_signs', '2013': 'q7d_signs', '2014': 'q7sign', '2015': 'q7sign', '2016': 'q7sign'}},
        {'id': 'walkways', 'construct': 'orientation', 'text': 'Escalators, elevators, walkways',
         'columns': {'2010': 'q6e', '2011': 'q8e', '2012': 'q8e_walk', '2013': 'q7e_walk', '2014': 'q7walkways', '2015': 'q7walkways', '2016': 'q7walkways'}},
        {'id': 'screens', 'construct': 'orientation', 'text': 'Information on screens',
         'columns': {'2010': 'q6f', '2011': 'q8f', '2012': 'q8f_screens', '2013': 'q7f_screens', '2014': 'q7screens', '2015': 'q7screens', '2016': 'q7screens'}},
        {'id': 'info_arrivals', 'construct': 'orientation', 'text': 'Information booths, arrivals level',
         'columns': {'2010': 'q6g', '2011': 'q8g', '2012': 'q8g_infoarr', '2013': 'q7g_infoarr', '2014': 'q7infodown', '2015': 'q7infodown', '2016': 'q7infodown'}},
        {'id': 'info_departures', 'construct': 'orientation', 'text': 'Information booths, departures level',
         'columns': {'2010': 'q6h', '2011': 'q8h', '2012': 'q8h_infodep', '2013': 'q7h_infodep', '2014': 'q7infoup', '2015': 'q7infoup', '2016': 'q7infoup'}},
        {'id': 'wifi', 'construct': 'comfort', 'text': 'Wireless access',
         'columns': {'2013': 'q7i_wifi', '2014': 'q7wifi', '2015': 'q7wifi', '2016': 'q7wifi'}},
        {'id': 'roads', 'construct': 'access', 'text': 'Signs on the airport roadways',
         'columns': {'2010': 'q6i', '2011': 'q8i', '2012': 'q8i_road', '2013': 'q7j_road', '2014': 'q7roads', '2015': 'q7roads', '2016': 'q7roads'}},
        {'id': 'parking', 'construct': 'access', 'text': 'Parking facilities',
         'columns': {'2010': 'q6j', '2011': 'q8j', '2012': 'q8j_park', '2013': 'q7k_park', '2014': 'q7park', '2015': 'q7park', '2016': 'q7park'}},
        {'id': 'airtrain', 'construct': 'access', 'text': 'AirTrain',
         'columns': {'2010': 'q6k', '2011': 'q8k', '2012': 'q8k_airtrain', '2013': 'q7l_airtrain', '2014': 'q7airtrain', '2015': 'q7airtrain', '2016': 'q7airtrain'}},
        {'id': 'long_term_parking', 'construct': 'access', 'text': 'Long-term parking shuttle',
         'columns': {'2010': 'q6l', '2011': 'q8l', '2012': 'q8l_ltpark', '2013': 'q7m_ltpark', '2014': 'q7ltparking', '2015': 'q7ltparking', '2016': 'q7ltparking'}},
        {'id': 'rental_cars', 'construct': 'access', 'text': 'Rental car centre',
         'columns': {'2010': 'q6m', '2011': 'q8m', '2012': 'q8m_rental', '2013': 'q7n_rental', '2014': 'q7rental', '2015': 'q7rental', '2016': 'q7rental'}},
        {'id': 'overall', 'role': 'csat', 'construct': 'overall', 'text': 'The airport as a whole',
         'columns': {'2010': 'q6n', '2011': 'q8n', '2012': 'q8n_whole', '2013': 'q7o_whole', '2014': 'q7all', '2015': 'q7all', '2016': 'q7all'}},
        {'id': 'clean_boarding', 'construct': 'cleanliness', 'text': 'Cleanliness of boarding areas',
         'columns': {'2010': 'q8a', '2011': 'q10a', '2012': 'q10a_clnboard', '2013': 'q9a_clnboard', '2014': 'q9boarding', '2015': 'q9boarding', '2016': 'q9boarding'}},
        {'id': 'clean_parking', 'construct': 'cleanliness', 'text': 'Cleanliness of parking garages',
         'columns': {'2010': 'q8b', '2011': 'q10b', '2012': 'q10b_clnpark'}},
        {'id': 'clean_airtrain', 'construct': 'cleanliness', 'text': 'Cleanliness of AirTrain',
         'columns': {'2010': 'q8c', '2011': 'q10c', '2012': 'q10c_clnairtrain', '2013': 'q9b_clnairtrain', '2014': 'q9airtrain', '2015': 'q9airtrain', '2016': 'q9airtrain'}},
        {'id': 'clean_rental_cars', 'construct': 'cleanliness', 'text': 'Cleanliness of the rental car centre',
         'columns': {'2010': 'q8d', '2011': 'q10d', '2012': 'q10d_clnrent', '2013': 'q9c_clnrent', '2014': 'q9rental', '2015': 'q9rental', '2016': 'q9rental'}},
        {'id': 'clean_food', 'construct': 'cleanliness', 'text': 'Cleanliness of restaurants',
         'columns': {'2010': 'q8e', '2011': 'q10e', '2012': 'q10e_clnfood', '2013': 'q9d_clnfood', '2014': 'q9food', '2015': 'q9food', '2016': 'q9food'}},
        {'id': 'clean_restrooms', 'construct': 'cleanliness', 'text': 'Cleanliness of restrooms',
         'columns': {'2010': 'q8f', '2011': 'q10f', '2012': 'q10f_clnbath', '2013': 'q9e_clnbath', '2014': 'q9restroom', '2015': 'q9restroom', '2016': 'q9restroom'}},
        {'id': 'clean_overall', 'construct': 'cleanliness', 'text': 'Cleanliness overall',
         'columns': {'2013': 'q9f_clnwhole', '2014': 'q9all', '2015': 'q9all', '2016': 'q9all'}},
        {'id': 'safety', 'construct': 'safety', 'text': 'Feeling safe at the airport',
         'columns': {'2010': 'q9', '2011': 'q11', '2012': 'q11safe', '2013': 'q10safe', '2014': 'q10safe', '2015': 'q10safe', '2016': 'q10safe'}},
        {'id': 'website', 'construct': 'orientation', 'text': 'The website, asked of its users',
         'columns': {'2010': 'q11', '2011': 'q13', '2012': 'q13_rateweb'}},
        {'id': 'precheck', 'construct': 'access', 'text': 'TSA Pre-check, asked of its users',
         'columns': {'2014': 'q12precheckrate', '2015': 'q12prechekcrate', '2016': 'q12precheckrate'}},
        {'id': 'getting_there', 'construct': 'access', 'text': 'Getting to the airport',
         'columns': {'2012': 'q14rategetto', '2013': 'q13_rategetto', '2014': 'q13getrate', '2015': 'q13getrate', '2016': 'q13getrate'}},
        {'id': 'finding_way', 'construct': 'orientation', 'text': 'Finding the way around',
         'columns': {'2010': 'q13a', '2011': 'q15a', '2012': 'q15a_find', '2013': 'q14a_find', '2014': 'q14find', '2015': 'q14find', '2016': 'q14find'}},
        {'id': 'security', 'construct': 'access', 'text': 'Passing through security',
         'columns': {'2010': 'q13b', '2011': 'q15b', '2012': 'q15b_security', '2013': 'q14b_security', '2014': 'q14passthru', '2015': 'q14passthru', '2016': 'q14passthru'}},
    ]) }}
{%- endmacro %}

{#- Day of the interview. The fieldwork is each year's May: 2016 writes the whole date, the years before it the day of the month alone. -#}
{% macro sfo_responded_at(year) -%}
    {%- if year == '2016' -%}
    {{ timestamp_column('intdate', 'responded_at', tz='America/Los_Angeles', format='%m/%d/%Y %I:%M:%S %p') }}
    {%- else -%}
    {{ timestamp_column("'" ~ year ~ "-05-' || lpad(" ~ blank_to_null('intdate') ~ ", 2, '0')", 'responded_at', tz='America/Los_Angeles') }}
    {%- endif -%}
{%- endmacro %}

{#- The questions of a year as branches of a `case`, numbered as they stand in sfo_questions(). -#}
{% macro _sfo_cases(year) -%}
    {%- for question in sfo_questions() if year in question.columns %} when {{ loop.index0 }} then {{ question.columns[year] }}{% endfor -%}
{%- endmacro %}
