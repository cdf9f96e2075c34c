-- Resources that ended, from the history: when, how old they were, whose they were.
{% set doc = 'h.doc' %}
select h._id, h.kind, {{ dewpoint.json_text(doc, 'id') }} as id, {{ dewpoint.json_text(doc, 'name') }} as name,
    {{ dewpoint.json_text(doc, 'cloud') }} as cloud, {{ dewpoint.json_text(doc, 'account') }} as account, {{ dewpoint.json_text(doc, 'region') }} as region,
    {{ dewpoint.first_json(dewpoint.json_get(doc, 'tags'), var('owner_tags')) }} as owner,
    {{ dewpoint.first_json(dewpoint.json_get(doc, 'tags'), var('team_tags')) }} as team,
    h.change, cast({{ dewpoint.json_text(doc, 'created_at') }} as {{ dewpoint.instant() }}) as created_at, h.valid_to as ended_at,
    {{ dewpoint.days_between('cast(' ~ dewpoint.json_text(doc, 'created_at') ~ ' as ' ~ dewpoint.instant() ~ ')', 'h.valid_to') }} as lifetime_days
from {{ source('dewpoint', 'resource_history') }} h
where h.change in ('deleted', 'account_closed')
