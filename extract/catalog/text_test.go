package catalog

import "testing"

func TestNounOfDoc(t *testing.T) {
	for in, want := range map[string]string{
		"Describes a volume.": "A volume.",
		"Contains information about an IAM role, including all.":                  "An IAM role, including all.",
		"Contains detailed information about a backup job.":                       "A backup job.",
		"Contains the details of an Amazon RDS DB instance.":                      "An Amazon RDS DB instance.",
		"An object representing an Amazon EKS cluster.":                           "An Amazon EKS cluster.",
		"The details about a metric alarm.":                                       "A metric alarm.",
		"Details on a service within a cluster.":                                  "A service within a cluster.",
		"Describes the properties of the Dedicated Host.":                         "The Dedicated Host.",
		"Represents the properties of a table.":                                   "A table.",
		"Provides a description of a mount target.":                               "A mount target.",
		"Information about a load balancer.":                                      "A load balancer.",
		"A complex type that contains general information about the hosted zone.": "The hosted zone.",
		"Details about a function's configuration.":                               "A function's configuration.",
		"A user profile in a Amazon Cognito user pool.":                           "A user profile in a Amazon Cognito user pool.",
		"Metadata includes information like the ARN.":                             "Metadata includes information like the ARN.",
		"The settings for a trail.":                                               "The settings for a trail.",
		"Contains":                                                                "Contains",
	} {
		if got := nounOfDoc(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
