package normalize

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/dewpoint-data/dewpoint/schema"
)

var update = flag.Bool("update", false, "rewrite the golden rows")

// users is IAM's ListUsers: query protocol, lists of members.
func users() Spec {
	boundary := structure("AttachedPermissionsBoundary", member("PermissionsBoundaryType", text()), member("PermissionsBoundaryArn", text()))
	user := structure("User", member("Path", text()), member("UserName", text()), member("UserId", text()), member("Arn", text()), member("CreateDate", when(TimeISO)),
		member("PasswordLastUsed", when(TimeISO)), member("PermissionsBoundary", boundary), member("Tags", list(structure("Tag", member("Key", text()), member("Value", text())))))
	s := spec(Source{
		Call: "ListUsers", Format: XML, Wrap: []string{"ListUsersResponse", "ListUsersResult"}, Items: path("Users[]"), Tokens: []Path{path("IsTruncated"), path("Marker")},
		Shape: structure("ListUsersResponse", member("Users", list(user)), member("IsTruncated", boolean()), member("Marker", text())),
	},
		fieldOf{"user_id", schema.Text, at("UserId"), 0, false}, fieldOf{"path", schema.Text, at("Path"), 0, false},
		fieldOf{"password_last_used", schema.Timestamp, at("PasswordLastUsed"), 0, false}, fieldOf{"permissions_boundary", schema.JSON, at("PermissionsBoundary"), 0, false})
	s.Kind.KeyScope = schema.KeyAccount
	s.Name = Template{{Expr: &Expr{Path: path("UserName")}}}
	s.URN = Template{{Expr: &Expr{Path: path("Arn")}}}
	s.Account = Template{{Expr: &Expr{Path: path("Arn"), Transforms: []Transform{{ARNPart, "account"}}}}}
	s.Region = Template{{Text: "global"}}
	s.CreatedAt = &TimeExpr{Expr: at("CreateDate")}
	s.Tags = &TagExpr{Expr: at("Tags"), Key: "Key", Value: "Value"}
	s.edge("aws_iam_policy", at("PermissionsBoundary.PermissionsBoundaryArn"))
	return s
}

// objects is S3's ListObjectsV2: rest-xml, flat lists, an ETag in the header.
func objects() Spec {
	owner := structure("Owner", member("DisplayName", text()), member("ID", text()))
	object := structure("Object", member("Key", text()), member("LastModified", when(TimeISO)), member("ETag", text()), flat(set(member("ChecksumAlgorithm", list(text())))),
		member("Size", integer()), member("StorageClass", text()), member("Owner", owner))
	s := spec(Source{
		Call: "ListObjectsV2", Format: XML, Wrap: []string{"ListBucketResult"}, Items: path("Contents[]"), Tokens: []Path{path("NextContinuationToken")},
		Shape: structure("ListObjectsV2Output", member("IsTruncated", boolean()), flat(member("Contents", list(object))), member("Name", text()), member("Prefix", text()),
			member("NextContinuationToken", text())),
	},
		fieldOf{"object_key", schema.Text, at("Key"), 0, false}, fieldOf{"size", schema.Int64, at("Size"), 0, false}, fieldOf{"etag", schema.Text, at("ETag"), 0, false},
		fieldOf{"owner", schema.JSON, at("Owner"), 0, false}, fieldOf{"checksum_algorithm", schema.TextList, at("ChecksumAlgorithm"), 0, false},
		fieldOf{"bucket", schema.Text, at("^.Name"), 0, false}, fieldOf{"request", schema.Text, Expr{Header: "x-amz-request-id"}, 0, false})
	s.ID = []Expr{at("^.Name"), at("Key")}
	s.UpdatedAt = &TimeExpr{Expr: at("LastModified")}
	return s
}

// clusters is a JSON 1.1 answer with epoch seconds.
func clusters() Spec {
	cluster := structure("Cluster", member("clusterArn", text()), member("clusterName", text()), member("createdAt", when(EpochSeconds)), member("runningTasksCount", integer()),
		member("ratio", float()), member("settings", list(structure("ClusterSetting", member("name", text()), member("value", text())))), set(member("capacityProviders", list(text()))),
		member("tags", list(structure("Tag", member("key", text()), member("value", text())))), member("labels", dict(text())), member("active", boolean()),
		member("configuration", structure("Configuration", member("at", when(EpochSeconds)), drop(member("password", text())), member("limits", dict(integer())))))
	s := spec(Source{
		Call: "DescribeClusters", Format: JSON, Items: path("clusters[]"), Tokens: []Path{path("nextToken")},
		Shape: structure("DescribeClustersResponse", member("clusters", list(cluster)), member("nextToken", text())),
	},
		fieldOf{"cluster_arn", schema.Text, at("clusterArn"), 0, false}, fieldOf{"running_tasks_count", schema.Int64, at("runningTasksCount"), 0, false},
		fieldOf{"ratio", schema.Float64, at("ratio"), 0, false}, fieldOf{"settings", schema.JSON, at("settings"), 0, false},
		fieldOf{"capacity_providers", schema.TextList, at("capacityProviders"), 0, false}, fieldOf{"labels", schema.TextMap, at("labels"), 0, false},
		fieldOf{"active", schema.Bool, at("active"), 0, false}, fieldOf{"configuration", schema.JSON, at("configuration"), 0, false},
		fieldOf{"setting_names", schema.TextList, at("settings[].name"), 0, true})
	s.URN = Template{{Expr: &Expr{Path: path("clusterArn")}}}
	s.Name = Template{{Expr: &Expr{Path: path("clusterName")}}}
	s.Region = Template{{Expr: &Expr{Path: path("clusterArn"), Transforms: []Transform{{ARNPart, "region"}}}}}
	s.CreatedAt = &TimeExpr{Expr: at("createdAt")}
	s.Tags = &TagExpr{Expr: at("tags"), Key: "key", Value: "value"}
	s.edge("aws_ecs_capacity_provider", at("capacityProviders"))
	return s
}

func TestGolden(t *testing.T) {
	for _, c := range []struct {
		file string
		spec Spec
	}{
		{"ec2.xml", instances(XML)}, {"query.xml", users()}, {"rest.xml", objects()}, {"json11.json", clusters()},
	} {
		in, err := os.ReadFile(filepath.Join("testdata/golden", c.file))
		if err != nil {
			t.Fatal(err)
		}
		b := builder(t, compile(t, c.spec))
		tokens, _, err := b.Page(in, http.Header{"X-Amz-Request-Id": {"4442587FB7D0A2F9"}})
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		got := flush(b)
		for _, token := range tokens {
			got += "token " + quote(token) + "\n"
		}
		golden := filepath.Join("testdata/golden", c.file+".rows")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", c.file, got, want)
		}
	}
}
