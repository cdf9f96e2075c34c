{# What the databases spell differently. Everything else in the models is SQL that all of them take. #}

{% macro session_settings() -%}
  {{ return(adapter.dispatch('session_settings', 'dewpoint')()) }}
{%- endmacro %}
{% macro default__session_settings() %}{% endmacro %}
{# The closure joins millions of rows: with the default of 4 MB it would sort on disk. The items of JSON are estimated by the
   hundred, so that policies of a few kilobytes would be compiled for longer than they are read. #}
{% macro postgres__session_settings() %}set work_mem = '256MB'; set jit = off; set timezone = 'UTC'{% endmacro %}
{% macro snowflake__session_settings() %}alter session set timezone = 'UTC'{% endmacro %}

{# now() as an instant; the variable now pins it. #}
{% macro utc_now() -%}
  {%- if var('now', none) -%} cast('{{ var("now") }}' as {{ dewpoint.instant() }})
  {%- else -%} {{ adapter.dispatch('utc_now', 'dewpoint')() }}
  {%- endif -%}
{%- endmacro %}
{% macro default__utc_now() %}now(){% endmacro %}
{% macro snowflake__utc_now() %}current_timestamp(){% endmacro %}

{% macro instant() -%} {{ adapter.dispatch('instant', 'dewpoint')() }} {%- endmacro %}
{% macro default__instant() %}timestamptz{% endmacro %}
{% macro snowflake__instant() %}timestamp_tz{% endmacro %}

{# The type of _id. #}
{% macro id_type() -%} {{ adapter.dispatch('id_type', 'dewpoint')() }} {%- endmacro %}
{% macro default__id_type() %}uuid{% endmacro %}
{% macro snowflake__id_type() %}varchar{% endmacro %}

{% macro as_text(value) -%} cast({{ value }} as varchar) {%- endmacro %}
{% macro as_float(value) -%} cast({{ value }} as {{ 'float' if target.type == 'snowflake' else 'double precision' }}) {%- endmacro %}

{# Days from one instant to another, with their fraction. #}
{% macro days_between(start, end) -%} {{ adapter.dispatch('days_between', 'dewpoint')(start, end) }} {%- endmacro %}
{% macro default__days_between(start, end) %}(extract(epoch from ({{ end }} - {{ start }})) / 86400.0){% endmacro %}
{% macro duckdb__days_between(start, end) %}((epoch({{ end }}) - epoch({{ start }})) / 86400.0){% endmacro %}
{% macro snowflake__days_between(start, end) %}(datediff('second', {{ start }}, {{ end }}) / 86400.0){% endmacro %}

{# The day of an instant, in UTC. #}
{% macro utc_day(value) -%} {{ adapter.dispatch('utc_day', 'dewpoint')(value) }} {%- endmacro %}
{% macro default__utc_day(value) %}cast(({{ value }}) at time zone 'UTC' as date){% endmacro %}
{% macro snowflake__utc_day(value) %}cast(convert_timezone('UTC', {{ value }}) as date){% endmacro %}

{# A text that begins as 2025-03-31 as a date, anything else as NULL. #}
{% macro try_date(value) -%} {{ adapter.dispatch('try_date', 'dewpoint')(value) }} {%- endmacro %}
{% macro default__try_date(value) %}try_cast(substr({{ value }}, 1, 10) as date){% endmacro %}
{% macro snowflake__try_date(value) %}try_to_date(substr({{ value }}, 1, 10), 'YYYY-MM-DD'){% endmacro %}
{% macro postgres__try_date(value) -%}
case when {{ value }} ~ '^[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])'
    then case when cast(substr({{ value }}, 9, 2) as int)
        <= extract(day from cast(substr({{ value }}, 1, 8) || '01' as date) + interval '1 month' - interval '1 day')
    then cast(substr({{ value }}, 1, 10) as date) end end
{%- endmacro %}

{# A text as a number, NULL where it is none. #}
{% macro try_float(value) -%} {{ adapter.dispatch('try_float', 'dewpoint')(value) }} {%- endmacro %}
{% macro default__try_float(value) %}try_cast({{ value }} as double){% endmacro %}
{% macro snowflake__try_float(value) %}try_to_double({{ value }}){% endmacro %}
{% macro postgres__try_float(value) %}case when {{ value }} ~ '^-?[0-9]+([.][0-9]+)?$' then cast({{ value }} as double precision) end{% endmacro %}

{# The value of a tag; tags is a map. #}
{% macro tag(tags, key) -%} {{ adapter.dispatch('tag', 'dewpoint')(tags, key) }} {%- endmacro %}
{% macro default__tag(tags, key) %}{{ tags }}['{{ key }}']{% endmacro %}
{% macro postgres__tag(tags, key) %}({{ tags }} ->> '{{ key }}'){% endmacro %}
{% macro snowflake__tag(tags, key) %}cast({{ tags }}['{{ key }}'] as varchar){% endmacro %}

{# The first of several tags that is there and not empty. #}
{% macro first_tag(tags, keys) -%}
{%- if keys | length == 0 -%} cast(null as varchar) {%- else -%}
coalesce({% for k in keys %}nullif({{ dewpoint.tag(tags, k) }}, ''){{ ', ' if not loop.last }}{% endfor %}{{ ", null" if keys | length == 1 }})
{%- endif -%}
{%- endmacro %}

{# A member of a JSON object, as JSON or as text. #}
{% macro json_get(value, key) -%} {{ adapter.dispatch('json_get', 'dewpoint')(value, key) }} {%- endmacro %}
{% macro default__json_get(value, key) %}({{ value }} -> '{{ key }}'){% endmacro %}
{% macro snowflake__json_get(value, key) %}{{ value }}['{{ key }}']{% endmacro %}

{% macro json_text(value, key) -%} {{ adapter.dispatch('json_text', 'dewpoint')(value, key) }} {%- endmacro %}
{% macro default__json_text(value, key) %}({{ value }} ->> '{{ key }}'){% endmacro %}
{% macro snowflake__json_text(value, key) %}cast({{ value }}['{{ key }}'] as varchar){% endmacro %}

{# A JSON string, number or boolean as text. #}
{% macro json_scalar(value) -%} {{ adapter.dispatch('json_scalar', 'dewpoint')(value) }} {%- endmacro %}
{% macro default__json_scalar(value) %}({{ value }} ->> '$'){% endmacro %}
{% macro postgres__json_scalar(value) %}({{ value }} #>> '{}'){% endmacro %}
{% macro snowflake__json_scalar(value) %}cast({{ value }} as varchar){% endmacro %}

{# JSON's way of "one or several": an array as it is, anything else as an array of one. #}
{% macro json_array(value) -%} {{ adapter.dispatch('json_array', 'dewpoint')(value) }} {%- endmacro %}
{% macro default__json_array(value) -%}
case when {{ value }} is null or json_type({{ value }}) = 'NULL' then null when json_type({{ value }}) = 'ARRAY' then {{ value }} else json_array({{ value }}) end
{%- endmacro %}
{% macro postgres__json_array(value) -%}
case jsonb_typeof({{ value }}) when 'array' then {{ value }} when 'null' then null else case when {{ value }} is not null then jsonb_build_array({{ value }}) end end
{%- endmacro %}
{% macro snowflake__json_array(value) %}to_array({{ value }}){% endmacro %}

{# Joins the items of a JSON array, of an object or of a list of texts; ALIAS.value is the item, ALIAS.key the member's name. #}
{% macro each_item(value, alias) -%} {{ adapter.dispatch('each_item', 'dewpoint')(value, alias) }} {%- endmacro %}
{% macro default__each_item(value, alias) %}cross join lateral (select unnest(cast({{ value }} as json[])) as value) as {{ alias }}{% endmacro %}
{% macro postgres__each_item(value, alias) %}cross join lateral jsonb_array_elements({{ value }}) as {{ alias }}(value){% endmacro %}
{% macro snowflake__each_item(value, alias) %}cross join lateral flatten(input => {{ value }}) as {{ alias }}{% endmacro %}

{% macro each_member(value, alias) -%} {{ adapter.dispatch('each_member', 'dewpoint')(value, alias) }} {%- endmacro %}
{% macro default__each_member(value, alias) -%}
cross join lateral (select unnest(json_keys({{ dewpoint.json_object(value) }})) as key) as {{ alias }}_keys
cross join lateral (select {{ alias }}_keys.key as key, json_extract({{ value }}, '$."' || {{ alias }}_keys.key || '"') as value) as {{ alias }}
{%- endmacro %}
{% macro postgres__each_member(value, alias) %}cross join lateral jsonb_each({{ dewpoint.json_object(value) }}) as {{ alias }}(key, value){% endmacro %}
{% macro snowflake__each_member(value, alias) %}cross join lateral flatten(input => {{ dewpoint.json_object(value) }}) as {{ alias }}{% endmacro %}

{# The value where it is a JSON object, else NULL. #}
{% macro json_object(value) -%} {{ adapter.dispatch('json_object', 'dewpoint')(value) }} {%- endmacro %}
{% macro default__json_object(value) %}case when json_type({{ value }}) = 'OBJECT' then {{ value }} end{% endmacro %}
{% macro postgres__json_object(value) %}case when jsonb_typeof({{ value }}) = 'object' then {{ value }} end{% endmacro %}
{% macro snowflake__json_object(value) %}case when typeof({{ value }}) = 'OBJECT' then to_object({{ value }}) end{% endmacro %}

{% macro is_json_text(value) -%} {{ adapter.dispatch('is_json_text', 'dewpoint')(value) }} {%- endmacro %}
{% macro default__is_json_text(value) %}json_type({{ value }}) = 'VARCHAR'{% endmacro %}
{% macro postgres__is_json_text(value) %}jsonb_typeof({{ value }}) = 'string'{% endmacro %}
{% macro snowflake__is_json_text(value) %}typeof({{ value }}) = 'VARCHAR'{% endmacro %}

{% macro each_text(list, alias) -%} {{ adapter.dispatch('each_text', 'dewpoint')(list, alias) }} {%- endmacro %}
{% macro default__each_text(list, alias) %}cross join lateral (select unnest({{ list }}) as value) as {{ alias }}{% endmacro %}
{% macro postgres__each_text(list, alias) %}cross join lateral unnest({{ list }}) as {{ alias }}(value){% endmacro %}
{% macro snowflake__each_text(list, alias) %}cross join lateral (select cast(f.value as varchar) as value from table(flatten(input => {{ list }})) f) as {{ alias }}{% endmacro %}

{# Item n, from 0, of a JSON array. #}
{% macro json_item(value, n) -%} {{ adapter.dispatch('json_item', 'dewpoint')(value, n) }} {%- endmacro %}
{% macro default__json_item(value, n) %}({{ value }} -> {{ n }}){% endmacro %}
{% macro snowflake__json_item(value, n) %}{{ value }}[{{ n }}]{% endmacro %}

{# A name without its last dot and in lower case, as DNS compares them. #}
{% macro host_name(value) -%} lower(case when {{ value }} like '%.' then substr({{ value }}, 1, length({{ value }}) - 1) else {{ value }} end) {%- endmacro %}

{# The region of what is in a zone: in Google Cloud, a zone is its region with a letter behind. #}
{% macro region_of_zone(cloud, place) -%}
case when {{ cloud }} = 'gcp' and {{ place }} like '%-_' then substr({{ place }}, 1, length({{ place }}) - 2) else {{ place }} end
{%- endmacro %}

{# A pattern of IAM (* and ?) as one of LIKE, whose escape is !. #}
{% macro iam_like(pattern) -%}
replace(replace(replace(replace(replace({{ pattern }}, '!', '!!'), '%', '!%'), '_', '!_'), '*', '%'), '?', '_')
{%- endmacro %}

{# Item n, from 0, of a list of texts. #}
{% macro text_item(list, n) -%} {{ adapter.dispatch('text_item', 'dewpoint')(list, n) }} {%- endmacro %}
{% macro default__text_item(list, n) %}{{ list }}[{{ n + 1 }}]{% endmacro %}
{% macro snowflake__text_item(list, n) %}cast({{ list }}[{{ n }}] as varchar){% endmacro %}

{# Joins the one row of a table that has an _id. Postgres looks each up in the table's index, however many it expects: reading
   a million rows for some thousands takes longer. #}
{% macro join_by_id(table, alias, id) -%} {{ adapter.dispatch('join_by_id', 'dewpoint')(table, alias, id) }} {%- endmacro %}
{% macro default__join_by_id(table, alias, id) %}join {{ table }} {{ alias }} on {{ alias }}._id = {{ id }}{% endmacro %}
{% macro postgres__join_by_id(table, alias, id) %}cross join lateral (select * from {{ table }} x where x._id = {{ id }} limit 1) {{ alias }}{% endmacro %}

{# A resource's _id that is given when an analysis is run. #}
{% macro parameter(name) -%} cast('{{ var(name, "00000000-0000-0000-0000-000000000000") }}' as {{ dewpoint.id_type() }}) {%- endmacro %}

{# Joins the parts between the > of a text: ALIAS.value is the part, strpos_at where it stands. #}
{% macro each_part(value, alias) -%} {{ adapter.dispatch('each_part', 'dewpoint')(value, alias) }} {%- endmacro %}
{% macro default__each_part(value, alias) -%}
cross join lateral (select u.part as value, strpos({{ value }}, u.part) as strpos_at from (select unnest(string_split({{ value }}, '>')) as part) u) as {{ alias }}
{%- endmacro %}
{% macro postgres__each_part(value, alias) -%}
cross join lateral (select u.part as value, strpos({{ value }}, u.part) as strpos_at from unnest(string_to_array({{ value }}, '>')) as u(part)) as {{ alias }}
{%- endmacro %}
{% macro snowflake__each_part(value, alias) -%}
cross join lateral (select cast(f.value as varchar) as value, position(cast(f.value as varchar), {{ value }}) as strpos_at from table(flatten(input => split({{ value }}, '>'))) f) as {{ alias }}
{%- endmacro %}

{# The first of several members of a JSON object that is there and not empty. #}
{% macro first_json(value, keys) -%}
{%- if keys | length == 0 -%} cast(null as varchar) {%- else -%}
coalesce({% for k in keys %}nullif({{ dewpoint.json_text(value, k) }}, ''){{ ', ' if not loop.last }}{% endfor %}{{ ", null" if keys | length == 1 }})
{%- endif -%}
{%- endmacro %}
