{# The relations that the catalogue declares, in the six types of relationships. An edge goes from the referrer to
   what it refers to; a relationship goes from the whole to the part and from the owner to the owned, so that two types
   turn the edge round. #}

{% macro relation_types() %}
  {{ return({
    'in': 'contains', 'member_of': 'contains', 'part_of': 'contains', 'contains': 'contains',
    'owned_by': 'owns', 'managed_by': 'owns', 'owns': 'owns',
    'attached_to': 'attaches', 'bound_to': 'attaches', 'mounts': 'attaches', 'protects': 'attaches',
    'targets': 'routes', 'routes_to': 'routes', 'logs_to': 'routes', 'aliases': 'routes', 'selects': 'routes',
    'assumes': 'assumes',
    'uses': 'uses', 'created_from': 'uses', 'depends_on': 'uses', 'monitors': 'uses',
  }) }}
{% endmacro %}

{% macro turned_relations() %}
  {{ return(['in', 'member_of', 'part_of', 'owned_by', 'managed_by']) }}
{% endmacro %}

{# The type of a relation; what is not in the list uses. #}
{% macro relation_type(relation) -%}
case {{ relation }}
{%- for r, t in dewpoint.relation_types().items() if t != 'uses' %} when '{{ r }}' then '{{ t }}'{% endfor %} else 'uses' end
{%- endmacro %}

{% macro is_turned(relation) -%}
{{ relation }} in ({% for r in dewpoint.turned_relations() %}'{{ r }}'{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}
