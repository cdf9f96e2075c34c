{# The relations that the catalogue declares, in the six types of relationships. An edge goes from the referrer to
   what it refers to; a relationship goes from the whole to the part and from the owner to the owned, so that two types
   turn the edge round. #}

{% macro relation_types() %}
  {{ return({
    'in': 'contains', 'member_of': 'contains', 'runs_on': 'contains', 'endpoints_of': 'contains', 'contains': 'contains',
    'owned_by': 'owns', 'managed_by': 'owns', 'manages': 'owns',
    'attached_to': 'attaches', 'attaches': 'attaches', 'bound_to': 'attaches', 'claimed_by': 'attaches', 'protects': 'attaches',
    'peered_with': 'attaches',
    'targets': 'routes', 'targets_not_ready': 'routes', 'routes_to': 'routes', 'defaults_to': 'routes', 'exposed_by': 'routes',
    'logs_to': 'routes', 'aliases': 'routes', 'calls': 'routes', 'selects': 'routes',
    'triggered_by': 'routes', 'subscribes_to': 'routes', 'dead_letters_to': 'routes',
    'assumes': 'assumes', 'runs_as': 'assumes',
    'uses': 'uses', 'created_from': 'uses', 'depends_on': 'uses', 'monitors': 'uses', 'backed_by': 'uses', 'mounts': 'uses',
    'projects': 'uses', 'reads': 'uses', 'reads_key': 'uses', 'pulls_with': 'uses', 'of_class': 'uses', 'governed_by': 'uses',
    'scales': 'uses', 'grants': 'uses', 'grants_to': 'uses', 'instance_of': 'uses',
    'replicates': 'uses', 'about': 'uses',
  }) }}
{% endmacro %}

{% macro turned_relations() %}
  {{ return(['in', 'member_of', 'runs_on', 'endpoints_of', 'owned_by', 'managed_by', 'exposed_by', 'triggered_by', 'subscribes_to']) }}
{% endmacro %}

{# The type of a relation; what is not in the list uses. #}
{% macro relation_type(relation) -%}
case {{ relation }}
{%- for r, t in dewpoint.relation_types().items() if t != 'uses' %} when '{{ r }}' then '{{ t }}'{% endfor %} else 'uses' end
{%- endmacro %}

{% macro is_turned(relation) -%}
{{ relation }} in ({% for r in dewpoint.turned_relations() %}'{{ r }}'{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}
