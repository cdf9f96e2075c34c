-- help: How old what stands is and how old what ended became, per team and kind.
-- text: state, team, kind
-- number: resources, shortest_days, median_days, p90_days, longest_days
SELECT state, team, kind, resources, shortest_days, median_days, p90_days, longest_days
FROM {models}.lifetimes
WHERE longest_days < current_date - DATE '2006-01-01'
