package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
)

const (
	benchAccount = "111111111111"
	benchRegion  = "eu-west-1"
	pageSize     = 1000
)

// serve answers EC2 and STS as far as a sync of instances asks, with total
// instances in pages, on loopback until stop is called.
func serve(total int) (addr string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, total)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l) // always http.ErrServerClosed after Close
	}()
	return "http://" + l.Addr().String(), func() { srv.Close(); <-done }, nil
}

func answer(w http.ResponseWriter, r *http.Request, total int) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	form, err := url.ParseQuery(string(bytes.TrimSpace(body)))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	switch action := form.Get("Action"); action {
	case "GetCallerIdentity":
		fmt.Fprintf(w, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::%s:user/bench</Arn><UserId>AIDA</UserId><Account>%s</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`, benchAccount, benchAccount)
	case "DescribeRegions":
		fmt.Fprintf(w, `<DescribeRegionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><regionInfo><item><regionName>%s</regionName><regionEndpoint>ec2</regionEndpoint><optInStatus>opt-in-not-required</optInStatus></item></regionInfo></DescribeRegionsResponse>`, benchRegion)
	case "DescribeInstances":
		first, _ := strconv.Atoi(form.Get("NextToken"))
		n, token := min(pageSize, total-first), ""
		if first+n < total {
			token = strconv.Itoa(first + n)
		}
		_, _ = w.Write(appendPage(nil, benchRegion, benchAccount, first, n, token))
	default:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `<Response><Errors><Error><Code>InvalidAction</Code><Message>%s</Message></Error></Errors></Response>`, action)
	}
}
