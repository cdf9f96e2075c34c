{{ config(materialized='view') }}
-- An alarm and the resource that its dimensions name.
{% set dimensions = {
    'InstanceId': ['aws_ec2_instance'], 'VolumeId': ['aws_ec2_volume'], 'NatGatewayId': ['aws_ec2_nat_gateway'],
    'DBInstanceIdentifier': ['aws_rds_db_instance'], 'DBClusterIdentifier': ['aws_rds_db_cluster'],
    'QueueName': ['aws_sqs_queue'], 'TopicName': ['aws_sns_topic'], 'FunctionName': ['aws_lambda_function'],
    'TableName': ['aws_dynamodb_table'], 'BucketName': ['aws_s3_bucket'], 'ClusterName': ['aws_ecs_cluster', 'aws_eks_cluster'],
    'AutoScalingGroupName': ['aws_autoscaling_auto_scaling_group'], 'LoadBalancerName': ['aws_elb_load_balancer'],
    'LoadBalancer': ['aws_elbv2_load_balancer'], 'TargetGroup': ['aws_elbv2_target_group'],
    'CacheClusterId': ['aws_elasticache_cache_cluster'], 'FileSystemId': ['aws_efs_file_system'], 'StreamName': ['aws_kinesis_stream'],
} %}
with dimensions as (
    select a._id, a.kind, a.account, a.region,
        {{ dewpoint.json_text('d.value', 'Name') }} as name, {{ dewpoint.json_text('d.value', 'Value') }} as value
    from {{ source('dewpoint', 'aws_cloudwatch_alarm') }} a
    {{ dewpoint.each_item(dewpoint.json_array('a.dimensions'), 'd') }}
), named as (
    select d.*, k.to_kind
    from dimensions d
    join (
        {% for name, kinds in dimensions.items() %}{% set last = loop.last %}{% for k in kinds %}
        select '{{ name }}' as name, '{{ k }}' as to_kind {{ 'union all' if not (last and loop.last) }}
        {% endfor %}{% endfor %}
    ) k on k.name = d.name
)

select n._id as from_id, n.kind as from_kind, 'uses' as type, r._id as to_id, r.kind as to_kind, 'monitors' as relation
from named n
join {{ source('dewpoint', 'resources') }} r on r.kind = n.to_kind and r.account = n.account and r.region in (n.region, 'global')
    and (r.id = n.value or r.name = n.value or r.urn like '%:loadbalancer/' || n.value or (n.name = 'TargetGroup' and r.urn like '%:' || n.value))
