package normalize

import (
	"testing"

	"github.com/dewpoint-data/dewpoint/schema"
)

func TestFirst(t *testing.T) {
	item := structure("Thing", member("Id", text()), member("Size", integer()), member("Tags", list(structure("Tag", member("Key", text()), member("Value", text())))),
		member("Net", structure("Net", member("Zone", text()), member("Address", text()), member("At", when(TimeISO)))), member("Groups", list(text())))
	s := spec(things(item), fieldOf{"thing_id", schema.Text, at("Id"), 0, false}, fieldOf{"size", schema.Int64, at("Size"), 0, false},
		fieldOf{"net", schema.JSON, at("Net"), 0, false}, fieldOf{"groups", schema.TextList, at("Groups"), 0, true})
	s.Tags = &TagExpr{Expr: at("Tags"), Key: "Key", Value: "Value"}
	s.Name = Template{{Expr: &Expr{Tag: "Name"}}}
	s.URN = Template{{Text: "arn:"}, {Var: "partition"}, {Text: ":x:"}, {Expr: &Expr{Path: path("Id")}}}
	s.edge("aws_zone", at("Net.Zone"))
	t.Log(page(t, s, `{"Things":[{"Id":"a","Size":5,"Tags":[{"Key":"Name","Value":"x"},{"Value":"1","Key":"A"}],"Net":{"Zone":"z1","Address":"1.1.1.1","At":"2024-03-12T09:00-05:00"},"Groups":["b","a"]},{"Id":"b"}],"NextToken":"t"}`))
	s.Sources[0] = xmlThings(item)
	t.Log(page(t, s, `<?xml version="1.0"?><ListThingsResponse xmlns="x"><ListThingsResult><Things><member><Id>a</Id><Size>5</Size><Tags><member><Key>Name</Key><Value>x</Value></member><member><Value>1</Value><Key>A</Key></member></Tags><Net><Zone>z1</Zone><Address>1.1.1.1</Address><At>2024-03-12T09:00-05:00</At></Net><Groups><member>b</member><member>a</member></Groups></member><member><Id>b</Id></member></Things></ListThingsResult><ResponseMetadata/></ListThingsResponse>`))
}
