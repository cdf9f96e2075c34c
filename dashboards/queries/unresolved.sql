-- help: References that found nothing, and why.
-- text: from_kind, relation, to_kind, reason, explanation, for_example
-- number: edges
SELECT from_kind, relation, to_kind, reason, explanation, for_example, edges
FROM {models}.unresolved_edges
