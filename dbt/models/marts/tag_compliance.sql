-- The tags that resources are to have and which of them they lack. What cannot be tagged, or whose tags are unknown, is left out.
{% set required = var('required_tags') %}
select r._id, r.kind, r.id, r.name, r.cloud, r.account, r.region,
    {% for t in required %}
    {{ dewpoint.first_tag('r.tags', [t]) }} is null as lacks_{{ t | replace('-', '_') | replace(':', '_') | lower }},
    {% endfor %}
    {% for t in required %}case when {{ dewpoint.first_tag('r.tags', [t]) }} is null then 1 else 0 end{{ ' + ' if not loop.last }}{% endfor %} as lacking,
    {% for t in required %}{{ dewpoint.first_tag('r.tags', [t]) }} is not null{{ ' and ' if not loop.last }}{% endfor %} as compliant
from {{ source('dewpoint', 'resources') }} r
where r.tags is not null
