package awsfake

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	awsapi "github.com/dewpoint-data/dewpoint/extract/aws/api"
)

var roleARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(\d{12}):role/(.+)$`)

// builtins answers what tells of accounts, regions and sessions, from the
// options. A test may answer each of them otherwise.
func (s *Server) builtins() {
	everywhere := Place{}
	s.Handle(everywhere, "sts.GetCallerIdentity", s.callerIdentity)
	s.Handle(everywhere, "sts.AssumeRole", s.assumeRole)
	s.Handle(everywhere, "iam.ListAccountAliases", func(*Request) (map[string]any, error) {
		return map[string]any{"AccountAliases": []any{}, "IsTruncated": false}, nil
	})
	s.HandleList(everywhere, "ec2.DescribeRegions", s.describeRegions)
	s.HandleList(everywhere, "organizations.ListAccounts", s.listAccounts)
	s.Handle(everywhere, "organizations.DescribeOrganization", s.describeOrganization)
}

func (s *Server) callerIdentity(r *Request) (map[string]any, error) {
	arn := fmt.Sprintf("arn:%s:iam::%s:user/reader", r.partition, r.Account)
	if r.Role != "" {
		role := r.Role[strings.LastIndexByte(r.Role, '/')+1:]
		arn = fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/session", r.partition, r.Account, role)
	}
	return map[string]any{"Account": r.Account, "Arn": arn, "UserId": "AIDA" + r.Account}, nil
}

// assumeRole hands out keys that hold the role's account.
func (s *Server) assumeRole(r *Request) (map[string]any, error) {
	role := r.Text("RoleArn")
	m := roleARN.FindStringSubmatch(role)
	known := m != nil && slices.ContainsFunc(s.opts.Accounts, func(a Account) bool { return a.ID == m[1] })
	if !known {
		return nil, &Error{Code: "AccessDenied", Message: "not authorized to perform: sts:AssumeRole on resource: " + role, Status: 403}
	}
	s.mu.Lock()
	key := fmt.Sprintf("ASIA%s%04d", m[1], len(s.sessions)+1)
	s.sessions[key] = role
	s.mu.Unlock()
	session := first(r.Text("RoleSessionName"), "session")
	return map[string]any{
		"Credentials": map[string]any{
			"AccessKeyId": key, "SecretAccessKey": "secret/" + key, "SessionToken": "token/" + key,
			"Expiration": s.now().Add(time.Hour).UTC().Truncate(time.Second),
		},
		"AssumedRoleUser": map[string]any{
			"AssumedRoleId": "AROA" + m[1] + ":" + session,
			"Arn":           fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/%s", r.partition, m[1], m[2], session),
		},
	}, nil
}

func (s *Server) describeRegions(r *Request) (List, error) {
	var l List
	all := r.Input["AllRegions"] == true
	for _, reg := range s.opts.Regions {
		status := "opt-in-not-required"
		if reg.Disabled {
			if status = "not-opted-in"; !all {
				continue
			}
		}
		l.Items = append(l.Items, map[string]any{"RegionName": reg.Name, "Endpoint": "ec2." + reg.Name + ".amazonaws.com", "OptInStatus": status})
	}
	l.Match = map[string]string{"RegionNames": "RegionName"}
	return l, nil
}

// management refuses those who may not ask about the organisation.
func (s *Server) management(r *Request) error {
	if r.Account != s.opts.Accounts[0].ID {
		return &Error{Code: "AccessDeniedException", Message: "You don't have permissions to access this resource.", Status: 400}
	}
	if len(s.opts.Accounts) == 1 {
		return &Error{Code: "AWSOrganizationsNotInUseException", Message: "Your account is not a member of an organization.", Status: 400}
	}
	return nil
}

func (s *Server) listAccounts(r *Request) (List, error) {
	if err := s.management(r); err != nil {
		return List{}, err
	}
	var l List
	for i, a := range s.opts.Accounts {
		method := "CREATED"
		if i == 0 {
			method = "INVITED"
		}
		l.Items = append(l.Items, map[string]any{
			"Id": a.ID, "Name": first(a.Name, "account "+a.ID), "Email": first(a.Email, a.ID+"@example.com"), "Status": first(a.Status, "ACTIVE"),
			"Arn":          fmt.Sprintf("arn:aws:organizations::%s:account/o-example/%s", s.opts.Accounts[0].ID, a.ID),
			"JoinedMethod": method, "JoinedTimestamp": time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC).AddDate(0, i, 0),
		})
	}
	return l, nil
}

func (s *Server) describeOrganization(r *Request) (map[string]any, error) {
	if len(s.opts.Accounts) == 1 {
		return nil, s.management(r)
	}
	head := s.opts.Accounts[0]
	return map[string]any{"Organization": map[string]any{
		"Id": "o-example", "Arn": "arn:aws:organizations::" + head.ID + ":organization/o-example", "FeatureSet": "ALL",
		"MasterAccountId": head.ID, "MasterAccountArn": "arn:aws:organizations::" + head.ID + ":account/o-example/" + head.ID,
		"MasterAccountEmail": head.Email,
	}}, nil
}

// admit refuses requests whose clock is off, of suspended accounts and to
// regions that are disabled or do not exist.
func (s *Server) admit(r *Request) error {
	if r.op.Unsigned && r.AccessKey == "" {
		return nil
	}
	if d := r.Header.Get("X-Amz-Date"); d != "" {
		at, err := time.Parse("20060102T150405Z", d)
		if off := s.now().Sub(at); err != nil || off > 5*time.Minute || off < -5*time.Minute {
			code := "RequestTimeTooSkewed"
			if r.svc.Protocol == "json" || r.svc.Protocol == "rest-json" {
				code = "InvalidSignatureException"
			} else if r.svc.Protocol == "query" || r.svc.Protocol == "ec2" {
				code = "RequestExpired"
			}
			return &Error{Code: code, Message: "Signature expired: " + d + " is not within 5 minutes of the server's time", Status: 403}
		}
	}
	for _, a := range s.opts.Accounts {
		if a.ID == r.Account && a.Status == "SUSPENDED" {
			return disabled(r)
		}
	}
	i := slices.IndexFunc(s.opts.Regions, func(reg Region) bool { return reg.Name == r.Region })
	if i >= 0 && !s.opts.Regions[i].Disabled {
		return nil
	}
	// Global services sign for the partition's home, which need not be listed.
	if p := awsapi.PartitionOf(r.Region); i < 0 && p != nil && p.Home == r.Region {
		return nil
	}
	return disabled(r)
}

// disabled is how services say that a region is not enabled.
func disabled(r *Request) error {
	message := "The security token included in the request is invalid."
	switch {
	case r.svc.Protocol == "ec2":
		return &Error{Code: "AuthFailure", Message: "AWS was not able to validate the provided access credentials", Status: 401}
	case r.Service == "s3":
		return &Error{Code: "IllegalLocationConstraintException", Message: "The region is not enabled", Status: 400}
	case r.svc.Protocol == "query" || r.svc.Protocol == "rest-xml":
		return &Error{Code: "InvalidClientTokenId", Message: message, Status: 403}
	}
	return &Error{Code: "UnrecognizedClientException", Message: message, Status: 400}
}
