//go:build unix

package normalize

import (
	"encoding/json"
	"encoding/xml"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

const benchRows = 1000

// BenchmarkPage builds complete batches of EC2 instances: 88 columns with
// tags, nested JSON, ids and hashes, and edges.
func BenchmarkPage(b *testing.B) {
	withoutEdges := func(f Format) Spec {
		s := instances(f)
		s.Edges, s.Kind.Edges = nil, nil
		return s
	}
	for _, c := range []struct {
		name string
		spec Spec
		body []byte
	}{
		{"xml", instances(XML), instancesXML(benchRows)},
		{"xml-no-edges", withoutEdges(XML), instancesXML(benchRows)},
		{"json", instances(JSON), instancesJSON(benchRows)},
		{"json-no-edges", withoutEdges(JSON), instancesJSON(benchRows)},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := compile(b, c.spec)
			builder := p.NewBuilder(memory.DefaultAllocator)
			builder.Begin(origin())
			measure(b, c.body, func() {
				if _, rows, err := builder.Page(c.body, nil); err != nil || rows != benchRows {
					b.Fatal(rows, err)
				}
				builder.Flush().Release()
			})
		})
	}
}

// BenchmarkSplit is BenchmarkPage by way of items, as kinds with details go.
func BenchmarkSplit(b *testing.B) {
	for _, c := range []struct {
		name string
		spec Spec
		body []byte
	}{{"xml", instances(XML), instancesXML(benchRows)}, {"json", instances(JSON), instancesJSON(benchRows)}} {
		b.Run(c.name, func(b *testing.B) {
			c.spec.Captures = []Expr{at("InstanceId")}
			p := compile(b, c.spec)
			builder := p.NewBuilder(memory.DefaultAllocator)
			builder.Begin(origin())
			measure(b, c.body, func() {
				page, err := p.Split(c.body, nil)
				if err != nil || len(page.Items) != benchRows {
					b.Fatal(err)
				}
				for _, it := range page.Items {
					if err := builder.Append(it, nil); err != nil {
						b.Fatal(err)
					}
				}
				builder.Flush().Release()
			})
		})
	}
}

// BenchmarkStandardLibrary decodes the same bodies into structures and makes
// nothing of them: what the readers here are to be compared with.
func BenchmarkStandardLibrary(b *testing.B) {
	b.Run("xml", func(b *testing.B) {
		body := instancesXML(benchRows)
		measure(b, body, func() {
			var out struct {
				Reservations []reservation `xml:"reservationSet>item"`
			}
			if err := xml.Unmarshal(body, &out); err != nil || out.Reservations[benchRows-1].Instances[0].Tags[2].Key != "owner" {
				b.Fatal(err)
			}
		})
	})
	b.Run("json", func(b *testing.B) {
		body := instancesJSON(benchRows)
		measure(b, body, func() {
			var out struct{ Reservations []reservation }
			if err := json.Unmarshal(body, &out); err != nil || out.Reservations[benchRows-1].Instances[0].Tags[2].Key != "owner" {
				b.Fatal(err)
			}
		})
	})
}

// measure runs f, which handles benchRows rows of the body.
func measure(b *testing.B, body []byte, f func()) {
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	runtime.GC()
	from := cpu(b)
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64(benchRows*b.N)/(cpu(b)-from).Seconds(), "rows/cpu-s")
}

// cpu is the time that all processors spent on this process.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type reservation struct {
	ReservationID string         `xml:"reservationId" json:"ReservationId"`
	OwnerID       string         `xml:"ownerId" json:"OwnerId"`
	Groups        []groupOf      `xml:"groupSet>item"`
	Instances     []*ec2Instance `xml:"instancesSet>item"`
}

type groupOf struct {
	GroupID   *string `xml:"groupId" json:"GroupId"`
	GroupName *string `xml:"groupName"`
}

type ec2Instance struct {
	InstanceID      *string `xml:"instanceId" json:"InstanceId"`
	ImageID         *string `xml:"imageId" json:"ImageId"`
	PrivateDNSName  *string `xml:"privateDnsName" json:"PrivateDnsName"`
	PublicDNSName   *string `xml:"dnsName" json:"PublicDnsName"`
	Reason          *string `xml:"reason" json:"StateTransitionReason"`
	KeyName         *string `xml:"keyName"`
	AmiLaunchIndex  *int32  `xml:"amiLaunchIndex"`
	InstanceType    *string `xml:"instanceType"`
	SubnetID        *string `xml:"subnetId" json:"SubnetId"`
	VpcID           *string `xml:"vpcId" json:"VpcId"`
	PrivateIP       *string `xml:"privateIpAddress" json:"PrivateIpAddress"`
	SourceDestCheck *bool   `xml:"sourceDestCheck"`
	Architecture    *string `xml:"architecture"`
	RootDeviceType  *string `xml:"rootDeviceType"`
	RootDeviceName  *string `xml:"rootDeviceName"`
	Virtualization  *string `xml:"virtualizationType" json:"VirtualizationType"`
	ClientToken     *string `xml:"clientToken"`
	Hypervisor      *string `xml:"hypervisor"`
	EbsOptimized    *bool   `xml:"ebsOptimized"`
	EnaSupport      *bool   `xml:"enaSupport"`

	LaunchTime *time.Time `xml:"launchTime"`
	State      *struct {
		Code *int32  `xml:"code"`
		Name *string `xml:"name"`
	} `xml:"instanceState"`
	Placement *struct {
		AvailabilityZone *string `xml:"availabilityZone"`
		GroupName        *string `xml:"groupName"`
		Tenancy          *string `xml:"tenancy"`
	} `xml:"placement"`
	Monitoring *struct {
		State *string `xml:"state"`
	} `xml:"monitoring"`
	CPUOptions *struct {
		CoreCount      *int32 `xml:"coreCount"`
		ThreadsPerCore *int32 `xml:"threadsPerCore"`
	} `xml:"cpuOptions" json:"CpuOptions"`
	MetadataOptions *struct {
		State       *string `xml:"state"`
		HTTPTokens  *string `xml:"httpTokens" json:"HttpTokens"`
		Hops        *int32  `xml:"httpPutResponseHopLimit" json:"HttpPutResponseHopLimit"`
		HTTPEndoint *string `xml:"httpEndpoint" json:"HttpEndpoint"`
	} `xml:"metadataOptions"`
	SecurityGroups      []groupOf `xml:"groupSet>item"`
	BlockDeviceMappings []struct {
		DeviceName *string `xml:"deviceName"`
		Ebs        *struct {
			VolumeID            *string    `xml:"volumeId" json:"VolumeId"`
			Status              *string    `xml:"status"`
			AttachTime          *time.Time `xml:"attachTime"`
			DeleteOnTermination *bool      `xml:"deleteOnTermination"`
		} `xml:"ebs"`
	} `xml:"blockDeviceMapping>item"`
	Tags []struct {
		Key   string `xml:"key"`
		Value string `xml:"value"`
	} `xml:"tagSet>item"`
}
