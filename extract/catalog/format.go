package catalog

// File is one catalogue file: a service and the kinds it lists.
//
// Three notations recur. A *path* leads to a value with the member names of
// the API description: "Placement.AvailabilityZone"; "[]" goes to every
// element of a list ("Groups[].GroupId"), "{}" to every value and "{key}" to
// every key of a map, a name with dots in it stands between quotes, "." is the
// item itself, a leading "^." leaves the item for the structure that holds it, "header:ETag" takes a header of the
// answer, "tag:Name" the value of a tag. A path is looked up in the item of
// the list call, then in the details in their order; "GetBucketTagging:TagSet"
// names the call. An *expression* is a path with transforms behind it:
// "QueueUrl | after_last(/)". The transforms: after_last(x), before_first(x),
// before_last(x), strip_prefix(x), arn_part(partition|service|region|account|resource|id),
// urldecode, json, json(key), first, split(x), lower, quantity (100m and 1Gi as
// numbers), starts_with(x) and contains(x) (only the values that do). Of the names of Google's resources,
// full_name(service) makes the full resource name of a self link or a relative
// name, and full_name(service, zones/{region}/disks) that of a bare name, too;
// location is the zone, region or location in a name, or global; project is
// its project, or that of a project number. A *template* is text
// with expressions in braces: "{item.X | transform}", "{parent.X}" (a value of
// the parent's item), "{account}", "{region}", "{partition}" and, in a batch,
// "{keys}" (the list of the batch's keys). A value that is just one
// expression in braces keeps its type.
type File struct {
	// Cloud is aws (default), gcp or kubernetes.
	Cloud string `yaml:"cloud,omitempty"`
	// Service is the name of the service's description: AWS's are botocore's
	// (ec2, cognito-idp), Google's have the version (compute.v1), Kubernetes'
	// are API groups.
	Service string `yaml:"service"`
	// Scope is region or account, for services with one endpoint for all
	// regions: their rows have region "global" unless region: says another.
	// The default is region for AWS, account for the others.
	Scope string `yaml:"scope,omitempty"`
	// IAM is the prefix of the service's IAM actions where it is not the
	// signing name: elasticfilesystem, cloudwatch.
	IAM string `yaml:"iam,omitempty"`
	// Actions says what permission operations need, where the rule of the
	// cloud does not tell: ListBuckets: s3:ListAllMyBuckets. An empty string
	// says that the call needs none.
	Actions map[string]string `yaml:"actions,omitempty"`
	// Headers are sent with every request.
	Headers map[string]string `yaml:"headers,omitempty"`
	// Limit is the request rate to begin with and the key it is counted by.
	Limit *Limit `yaml:"limit,omitempty"`
	// NotApplicable are error codes by which the list calls say that the
	// service does not exist here.
	NotApplicable []string `yaml:"not_applicable,omitempty"`
	// Regions limits a regional service to regions by partition rule:
	// globs, e.g. [us-east-1] for what lives there only.
	Regions []string `yaml:"regions,omitempty"`
	// Drop leaves members out of every kind that has them, by path.
	Drop []string `yaml:"drop,omitempty"`
	// Kinds are the kinds by name: aws_<service>_<noun>, gcp_<service>_<noun>,
	// kubernetes_<noun>.
	Kinds map[string]Kind `yaml:"kinds"`
}

// Limit is a request rate.
type Limit struct {
	// Rate is in requests a second.
	Rate float64 `yaml:"rate,omitempty"`
	// Per is region (default) or account, where all regions share one limit.
	Per string `yaml:"per,omitempty"`
}

// Kind is one kind of resource.
type Kind struct {
	// Key is the name the kind was born with, where it has been renamed since.
	Key string `yaml:"key,omitempty"`
	// Renamed are former names, which stay as views.
	Renamed []string `yaml:"renamed,omitempty"`
	// Doc replaces the first sentence of the description of the item.
	Doc string `yaml:"doc,omitempty"`
	// Optional kinds are read only when they are asked for by name.
	Optional bool `yaml:"optional,omitempty"`

	// Scope and Regions are the kind's own, where the service's do not fit.
	Scope   string   `yaml:"scope,omitempty"`
	Regions []string `yaml:"regions,omitempty"`

	// ForEach lists the kind once for each item of another kind of the same
	// cloud, whose values are {parent.X}.
	ForEach string `yaml:"for_each,omitempty"`
	// When limits a for-each to parents with one of these values: path -> values.
	When map[string][]string `yaml:"when,omitempty"`
	// List is the operation that decides what exists. Kinds of one file with
	// the same List, Input and ForEach share its calls.
	List string `yaml:"list"`
	// Input are constants and templates for members of the operation's input.
	Input map[string]any `yaml:"input,omitempty"`
	// Inputs lists several times, each with Input and one of these; all must
	// be complete.
	Inputs []map[string]any `yaml:"inputs,omitempty"`
	// Page says how the list is paged where the description does not.
	Page *Page `yaml:"page,omitempty"`
	// Items is the path from the output to the items: Reservations[].Instances[].
	Items string `yaml:"items"`
	// Located says that one call answers for many locations: each row is in the
	// scope of its own region, which Region tells, and each location is complete
	// or not by itself.
	Located bool `yaml:"located,omitempty"`
	// Recurse lists again for what was found, as folders are in folders: the
	// input member that takes it, and the path in the item.
	Recurse map[string]string `yaml:"recurse,omitempty"`
	// Only keeps items with one of these values: path -> values.
	Only map[string][]string `yaml:"only,omitempty"`
	// NotApplicable adds to the service's.
	NotApplicable []string `yaml:"not_applicable,omitempty"`
	// AbsentOn are error codes by which the list call says that there are none.
	AbsentOn []string `yaml:"absent_on,omitempty"`
	// GoneOn are error codes by which a for-each list call says that the
	// parent has gone meanwhile: complete without rows.
	GoneOn []string `yaml:"gone_on,omitempty"`

	// Details complete the rows, in this order.
	Details []Detail `yaml:"details,omitempty"`

	// ID is a path in the item of the list call, or several. Their values,
	// joined by "/", are the row's id; one that ends with "?" may be missing.
	ID Strings `yaml:"id"`
	// KeyScope says within what the id is unique: global, account or region;
	// default is Scope.
	KeyScope string `yaml:"key_scope,omitempty"`
	// URN is a path or a template; the row's name among all of the world: an
	// ARN, a full resource name, a uid.
	URN string `yaml:"urn,omitempty"`
	// Name is a path, a template or "tag:Name"; default is the id.
	Name string `yaml:"name,omitempty"`
	// CreatedAt and UpdatedAt are paths to times.
	CreatedAt string `yaml:"created_at,omitempty"`
	UpdatedAt string `yaml:"updated_at,omitempty"`
	// Account and Region are paths or templates to the owner's account and the
	// resource's region, where they are not the reader's. They are read from
	// the item of the list call.
	Account string `yaml:"account,omitempty"`
	Region  string `yaml:"region,omitempty"`
	// Tags is the path to tags of any shape: a list of key and value, or a map.
	Tags string `yaml:"tags,omitempty"`

	// Times gives the format of times that the description calls something
	// else: path -> iso8601, http, epoch_seconds, epoch_millis.
	Times map[string]string `yaml:"times,omitempty"`
	// Types gives the type of values that the description calls text: path
	// -> int64, float64, bool, timestamp, json. For a map of attributes each
	// key named here becomes a column: "Attributes.DelaySeconds: int64".
	Types map[string]string `yaml:"types,omitempty"`
	// Convert are transforms for columns: path -> "urldecode | json".
	Convert map[string]string `yaml:"convert,omitempty"`
	// Rename gives columns a name: path -> name.
	Rename map[string]string `yaml:"rename,omitempty"`
	// Drop leaves members out, by path.
	Drop []string `yaml:"drop,omitempty"`
	// Promote makes columns of nested values, by path, and of values of the
	// structure that holds the item ("^.OwnerId").
	Promote []string `yaml:"promote,omitempty"`
	// Keep names sensitive members to keep: path -> reason. Other sensitive
	// members that are not id, name or edge are dropped.
	Keep map[string]string `yaml:"keep,omitempty"`
	// Redact drops members that hold secrets though the description does not
	// mark them, by path.
	Redact []string `yaml:"redact,omitempty"`
	// Volatile columns change by themselves, by path.
	Volatile []string `yaml:"volatile,omitempty"`
	// Set lists come in any order, by path, also nested ones.
	Set []string `yaml:"set,omitempty"`

	// Edges are references to other kinds.
	Edges []Edge `yaml:"edges,omitempty"`
	// Base maps the kind into a unified view. The key "kind" is the base's
	// name; the others are columns of the view: a column of this table, or
	// a mapping with column, values, scale, present, const.
	Base map[string]any `yaml:"base,omitempty"`

	// Get reads one by id, Delete deletes it, Tag and Untag set and remove
	// tags. Their templates know {id}, {name}, {urn}, {account}, {region},
	// {column.x}, {tags} (what is to be set), {keys} (what is to be removed),
	// {all_tags} (what is to be there afterwards, for calls that replace all).
	// {keys} for a map is each key with null. Where a call takes an etag, that of
	// the reading right before it is sent.
	Get    *Call   `yaml:"get,omitempty"`
	Delete *Delete `yaml:"delete,omitempty"`
	Tag    *Call   `yaml:"tag,omitempty"`
	Untag  *Call   `yaml:"untag,omitempty"`
	// Stop and Start stop what runs and start it again. Their templates know
	// {tag.KEY}, the value of a tag.
	Stop  *Stop `yaml:"stop,omitempty"`
	Start *Call `yaml:"start,omitempty"`
	// Snapshot keeps what is in one before it is deleted, where a rule wants
	// that. Its templates know {action_id} as well, by which Find finds it.
	Snapshot *Snapshot `yaml:"snapshot,omitempty"`
	// Undeletable says why there is no Delete.
	Undeletable string `yaml:"undeletable,omitempty"`
}

// Page says how a list is paged where the description does not.
type Page struct {
	// None states why one call returns everything though the operation has a
	// token ("returns all without MaxResults").
	None string `yaml:"none,omitempty"`
	// Token are pairs of input member and output path, "NextToken: NextToken".
	Token map[string]string `yaml:"token,omitempty"`
	// More is the output path of a boolean that says that there is more.
	More string `yaml:"more,omitempty"`
	// Harmless are members of the output that look like they say that the
	// answer is not whole and do not: member -> why.
	Harmless map[string]string `yaml:"harmless,omitempty"`
	// Limit is the input member for the page size, Size its value.
	Limit string `yaml:"limit,omitempty"`
	Size  int    `yaml:"size,omitempty"`
	// Result is the output path to the structure that holds the items and the
	// tokens, where they nest (CloudFront's DistributionList).
	Result string `yaml:"result,omitempty"`
}

// Detail is a further call for an item, or for a batch of them.
type Detail struct {
	// Call is the operation, Input what it is asked with.
	Call  string         `yaml:"call"`
	Input map[string]any `yaml:"input,omitempty"`
	// Service is the service of the call where it is another.
	Service string `yaml:"service,omitempty"`
	// Size is how many items a batch takes. Key is the path in the item of
	// the list call whose values are {keys}, Items the path in the output to
	// the answers, Match the path in an answer that equals the key.
	Size  int    `yaml:"size,omitempty"`
	Key   string `yaml:"key,omitempty"`
	Items string `yaml:"items,omitempty"`
	Match string `yaml:"match,omitempty"`
	// Failures is the output path to entries {code, reference} that say which
	// items of a batch failed inside a 2xx answer.
	Failures *Failures `yaml:"failures,omitempty"`
	// At is the path in the output to the structure whose members become
	// columns; default is the output itself.
	At string `yaml:"at,omitempty"`
	// As prefixes the columns' names.
	As string `yaml:"as,omitempty"`
	// Columns false takes no columns, only what paths name.
	Columns *bool `yaml:"columns,omitempty"`
	// When asks only for items with one of these values: path -> values.
	When map[string][]string `yaml:"when,omitempty"`
	// AbsentOn are error codes that mean "not configured": NULL, not failure.
	AbsentOn []string `yaml:"absent_on,omitempty"`
	// GoneOn are error codes that mean that the item has gone meanwhile: no row.
	GoneOn []string `yaml:"gone_on,omitempty"`
	// Page says how the call is paged where the description does not.
	Page *Page `yaml:"page,omitempty"`
}

// Failures leads to the failed items of a batch.
type Failures struct {
	// Items is the path from the output to the entries, Key and Code the
	// paths in an entry to the item's key and to the error code.
	Items string `yaml:"items"`
	Key   string `yaml:"key"`
	Code  string `yaml:"code"`
}

// Edge is a reference to another kind.
type Edge struct {
	// To is the target's kind, or "*" where the reference is the urn of any.
	To string `yaml:"to"`
	// Ref is an expression or a template for the reference.
	Ref string `yaml:"ref"`
	// Relation names the reference: in, uses, assumes, targets, ...; default
	// is uses, or in for a reference to the parent.
	Relation string `yaml:"relation,omitempty"`
	// Match is id (default; urns are recognised), name, or region_name: the
	// reference is region/name, in Kubernetes namespace/name, with global for
	// the region of what has none.
	Match string `yaml:"match,omitempty"`
	// Each makes a reference for each of several structures: it leads to them
	// from the item, ref is a template in which "{each.X}" is a member of one,
	// and When takes only those with one of the values: path -> values.
	Each string              `yaml:"each,omitempty"`
	When map[string][]string `yaml:"when,omitempty"`
	// OnDelete says what becomes of this resource when the other is deleted:
	// block (default: the other cannot be deleted), cascade, detach, none.
	OnDelete string `yaml:"on_delete,omitempty"`
	// Detach takes the reference away where both go down and this resource
	// cannot go first: they refer to each other, or the other one needs it. Its
	// templates know {to.id}, the other's id.
	Detach *SweepCall `yaml:"detach,omitempty"`
}

// Call is a call by id.
type Call struct {
	// Call is the operation, of the kind's service or of Service, Input what
	// it is asked with.
	Call    string         `yaml:"call"`
	Service string         `yaml:"service,omitempty"`
	Input   map[string]any `yaml:"input,omitempty"`
	// Items is the path in a get's output to the resource, as the list's.
	Items string `yaml:"items,omitempty"`
	// Else is the call for a resource that lacks a value which this one's
	// input asks for: a regional disk has no zone.
	Else *Call `yaml:"else,omitempty"`
	// Failures leads to what failed inside a 2xx answer.
	Failures *Refusals `yaml:"failures,omitempty"`
	// Needs are permissions that the call takes besides its own.
	Needs []string `yaml:"needs,omitempty"`
}

// Stop stops a resource, after the calls in Before.
type Stop struct {
	// Call is the operation, of the kind's service or of Service, Input what it
	// is asked with.
	Call    string         `yaml:"call"`
	Service string         `yaml:"service,omitempty"`
	Input   map[string]any `yaml:"input,omitempty"`
	// Before are calls that must be made first: those that keep, in tags that
	// begin with dewpoint-former-, what Start needs.
	Before []Call `yaml:"before,omitempty"`
	// Done are the values of columns that a resource has which is stopped, where
	// no status says so: column -> values.
	Done map[string][]string `yaml:"done,omitempty"`
}

// Delete deletes a resource, after the calls in Before.
type Delete struct {
	// Call is the operation, of the kind's service or of Service, Input what
	// it is asked with.
	Call    string         `yaml:"call"`
	Service string         `yaml:"service,omitempty"`
	Input   map[string]any `yaml:"input,omitempty"`
	// Before are calls that must be made first.
	Before []Call `yaml:"before,omitempty"`
	// Else is the call for a resource that lacks a value which this one's
	// input asks for.
	Else *Call `yaml:"else,omitempty"`
	// Empty deletes what is in the resource before, where a rule says so.
	Empty *Empty `yaml:"empty,omitempty"`
}

// Empty says how what is in a resource is deleted, for good.
type Empty struct {
	// What says in words what is deleted: "every version of every object".
	What string `yaml:"what"`
	// Unless are values of columns by which the vendor refuses it: column ->
	// values.
	Unless map[string][]string `yaml:"unless,omitempty"`
	// Sweeps delete it, in this order.
	Sweeps []SweepCall `yaml:"sweeps,omitempty"`
	// Instead is the call that deletes the resource with all that is in it, in
	// place of the other, where the API has one.
	Instead *Call `yaml:"instead,omitempty"`
}

// SweepCall is a call for all that a list call returns, page by page, until it
// returns nothing more.
type SweepCall struct {
	// List is the list call, Items the paths in its output to what the call is
	// made for, Only the values that an item must have: path -> template. A call
	// that detaches may be without them: it is made once.
	List  *Call             `yaml:"list,omitempty"`
	Items Strings           `yaml:"items,omitempty"`
	Only  map[string]string `yaml:"only,omitempty"`
	// Call is the operation, of the kind's service or of Service, Input what it
	// is asked with. Its templates know {item.X} as well, an expression in an
	// item; with a Size it is made for as many at once, and {items} is a list
	// in which Each is the template of one.
	Call    string         `yaml:"call"`
	Service string         `yaml:"service,omitempty"`
	Input   map[string]any `yaml:"input,omitempty"`
	Size    int            `yaml:"size,omitempty"`
	Each    any            `yaml:"each,omitempty"`
	// Failures leads to what of a batch failed inside a 2xx answer.
	Failures *Refusals `yaml:"failures,omitempty"`
}

// Refusals is where an answer says what was not done.
type Refusals struct {
	// Items is the path from the output to the entries, Key, Code and Message the
	// paths in an entry to what failed, to the error code and to the message. A
	// call for one resource may be without Key.
	Items   string `yaml:"items"`
	Key     string `yaml:"key,omitempty"`
	Code    string `yaml:"code"`
	Message string `yaml:"message,omitempty"`
}

// Snapshot is a call that makes a snapshot, which is not made twice.
type Snapshot struct {
	// Call is the operation, of the kind's service or of Service, Input what
	// it is asked with.
	Call    string         `yaml:"call"`
	Service string         `yaml:"service,omitempty"`
	Input   map[string]any `yaml:"input,omitempty"`
	// Find reads the snapshot that an earlier attempt has made, by the action's
	// id; State is the path from an item to its state, Done the states in which
	// it is complete, Failed those in which it will never be.
	Find   Call     `yaml:"find"`
	State  string   `yaml:"state"`
	Done   []string `yaml:"done"`
	Failed []string `yaml:"failed,omitempty"`
	// Else is the snapshot of a resource that lacks a value which this one's
	// input asks for.
	Else *Snapshot `yaml:"else,omitempty"`
}

// Strings is one string or a list of them.
type Strings []string
