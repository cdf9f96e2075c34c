package normalize

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"

	"github.com/dewpoint-data/dewpoint/schema"
)

// The description of EC2's DescribeInstances, by hand: what an answer of the
// usual size has and then some.

// ec2 makes a structure whose wire names are the members' with a small first
// letter, as EC2's XML has them, or the members' own for JSON.
func ec2(f Format, name string, members ...Member) *Shape {
	for i := range members {
		m := &members[i]
		if f == JSON {
			m.Wire = m.Name
		} else if m.Wire == m.Name {
			m.Wire = string(unicode.ToLower(rune(m.Name[0]))) + m.Name[1:]
		}
	}
	return structure(name, members...)
}

func items(s *Shape) *Shape { return &Shape{Type: List, Elem: s, ElemName: "item"} }

func texts(names string) []Member {
	var out []Member
	for n := range strings.FieldsSeq(names) {
		out = append(out, member(n, text()))
	}
	return out
}

func instanceShape(f Format) *Shape {
	group := ec2(f, "GroupIdentifier", texts("GroupId GroupName")...)
	ebs := ec2(f, "EbsInstanceBlockDevice", member("AttachTime", when(TimeISO)), member("DeleteOnTermination", boolean()),
		member("Status", text()), member("VolumeId", text()))
	association := ec2(f, "Association", texts("IpOwnerId PublicDnsName PublicIp")...)
	attachment := ec2(f, "Attachment", member("AttachTime", when(TimeISO)), member("AttachmentId", text()),
		member("DeleteOnTermination", boolean()), member("DeviceIndex", integer()), member("Status", text()), member("NetworkCardIndex", integer()))
	address := ec2(f, "Address", member("Association", association), member("Primary", boolean()), member("PrivateDnsName", text()), member("PrivateIpAddress", text()))
	eni := ec2(f, "Interface", member("Association", association), member("Attachment", attachment), member("Description", text()),
		member("Groups/groupSet", items(group)), member("MacAddress", text()), member("NetworkInterfaceId", text()), member("OwnerId", text()),
		member("PrivateIpAddress", text()), member("PrivateIpAddresses/privateIpAddressesSet", items(address)), member("SourceDestCheck", boolean()),
		member("Status", text()), member("SubnetId", text()), member("VpcId", text()), member("InterfaceType", text()))
	tag := ec2(f, "Tag", texts("Key Value")...)
	return ec2(f, "Instance", append(texts(`InstanceId ImageId KernelId RamdiskId KeyName/keyName InstanceType Platform PrivateIpAddress PublicIpAddress/ipAddress
			PrivateDnsName PublicDnsName/dnsName SubnetId VpcId Architecture RootDeviceName RootDeviceType VirtualizationType Hypervisor
			ClientToken SpotInstanceRequestId SriovNetSupport InstanceLifecycle OutpostArn CapacityReservationId BootMode PlatformDetails
			UsageOperation Ipv6Address CurrentInstanceBootMode StateTransitionReason/reason`),
		member("LaunchTime", when(TimeISO)), member("UsageOperationUpdateTime", when(TimeISO)), member("AmiLaunchIndex", integer()),
		member("EbsOptimized", boolean()), member("EnaSupport", boolean()), member("SourceDestCheck", boolean()),
		member("State/instanceState", ec2(f, "InstanceState", member("Code", integer()), member("Name", text()))),
		member("StateReason", ec2(f, "StateReason", texts("Code Message")...)),
		member("Placement", ec2(f, "Placement", append(texts("AvailabilityZone Affinity GroupName HostId Tenancy SpreadDomain HostResourceGroupArn GroupId"), member("PartitionNumber", integer()))...)),
		member("Monitoring", ec2(f, "Monitoring", texts("State")...)),
		member("CpuOptions", ec2(f, "CpuOptions", member("CoreCount", integer()), member("ThreadsPerCore", integer()), member("AmdSevSnp", text()))),
		member("HibernationOptions", ec2(f, "HibernationOptions", member("Configured", boolean()))),
		member("EnclaveOptions", ec2(f, "EnclaveOptions", member("Enabled", boolean()))),
		member("MaintenanceOptions", ec2(f, "MaintenanceOptions", texts("AutoRecovery RebootMigration")...)),
		member("MetadataOptions", ec2(f, "MetadataOptions", append(texts("State HttpTokens HttpEndpoint HttpProtocolIpv6 InstanceMetadataTags"), member("HttpPutResponseHopLimit", integer()))...)),
		member("PrivateDnsNameOptions", ec2(f, "PrivateDnsNameOptions", member("HostnameType", text()), member("EnableResourceNameDnsARecord", boolean()), member("EnableResourceNameDnsAAAARecord", boolean()))),
		member("CapacityReservationSpecification", ec2(f, "CapacityReservationSpecification", texts("CapacityReservationPreference")...)),
		member("IamInstanceProfile", ec2(f, "IamInstanceProfile", texts("Arn Id")...)),
		set(member("SecurityGroups/groupSet", items(group))),
		member("BlockDeviceMappings/blockDeviceMapping", items(ec2(f, "Mapping", member("DeviceName", text()), member("Ebs", ebs)))),
		member("NetworkInterfaces/networkInterfaceSet", items(eni)),
		member("ProductCodes", items(ec2(f, "ProductCode", member("ProductCodeId/productCode", text()), member("ProductCodeType/type", text())))),
		member("Licenses/licenseSet", items(ec2(f, "License", texts("LicenseConfigurationArn")...))),
		member("Tags/tagSet", items(tag)))...)
}

// instances is the spec of EC2 instances as the catalogue would make it: every
// member a column, structures one level deep, lists as JSON.
func instances(f Format) Spec {
	item := instanceShape(f)
	src := Source{
		Call: "DescribeInstances", Format: f, Items: path("Reservations[].Instances[]"), Tokens: []Path{path("NextToken")},
		Shape: ec2(f, "DescribeInstancesResult", member("NextToken", text()),
			member("Reservations/reservationSet", items(ec2(f, "Reservation", member("ReservationId", text()), member("OwnerId", text()),
				member("RequesterId", text()), member("Groups/groupSet", items(ec2(f, "GroupIdentifier", texts("GroupId GroupName")...))),
				member("Instances/instancesSet", items(item)))))),
	}
	if f == XML {
		src.Wrap = []string{"DescribeInstancesResponse"}
	}
	fields := []fieldOf{{"instance_id", schema.Text, at("InstanceId"), 0, false}}
	column := func(prefix string, m Member) bool {
		typ := map[ShapeType]schema.Type{String: schema.Text, Integer: schema.Int64, Boolean: schema.Bool, Time: schema.Timestamp, List: schema.JSON}[m.Shape.Type]
		if typ == 0 || m.Name == "InstanceId" || m.Name == "Tags" {
			return false
		}
		fields = append(fields, fieldOf{strings.ToLower(strings.ReplaceAll(prefix, ".", "_") + m.Name), typ, at(prefix + m.Name), 0, false})
		return true
	}
	for _, m := range item.Members {
		if m.Shape.Type == Structure {
			for _, inner := range m.Shape.Members {
				column(m.Name+".", inner)
			}
			continue
		}
		column("", m)
	}
	s := spec(src, fields...)
	s.Kind.Name, s.Kind.Key, s.Kind.Service = "aws_ec2_instance", "aws_ec2_instance", "ec2"
	s.URN = Template{
		{Text: "arn:"},
		{Var: "partition"},
		{Text: ":ec2:"},
		{Var: "region"},
		{Text: ":"},
		{Var: "account"},
		{Text: ":instance/"},
		{Expr: &Expr{Path: path("InstanceId")}},
	}
	s.Name = Template{{Expr: &Expr{Tag: "Name"}}}
	s.Account = Template{{Expr: &Expr{Up: 1, Path: path("OwnerId")}}}
	s.CreatedAt = &TimeExpr{Expr: at("LaunchTime")}
	s.Tags = &TagExpr{Expr: at("Tags"), Key: "Key", Value: "Value"}
	s.edge("aws_ec2_subnet", at("SubnetId"))
	s.edge("aws_ec2_vpc", at("VpcId"))
	s.edge("aws_ec2_image", at("ImageId"))
	s.edge("aws_ec2_security_group", at("SecurityGroups[].GroupId"))
	s.edge("aws_ec2_volume", at("BlockDeviceMappings[].Ebs.VolumeId"))
	s.edge("aws_ec2_network_interface", at("NetworkInterfaces[].NetworkInterfaceId"))
	s.edge("aws_iam_instance_profile", at("IamInstanceProfile.Arn"))
	return s
}

// instanceXML writes an instance as EC2 does, without its networkInterfaceSet
// in small ones.
func instanceXML(b *bytes.Buffer, i int) {
	fmt.Fprintf(b, `<item><instanceId>i-%017x</instanceId><imageId>ami-0abcdef1234567890</imageId><instanceState><code>16</code><name>running</name></instanceState><privateDnsName>ip-10-0-%d-%d.eu-west-1.compute.internal</privateDnsName><dnsName/><reason/><keyName>ops</keyName><amiLaunchIndex>0</amiLaunchIndex><productCodes/><instanceType>m5.large</instanceType><launchTime>2024-03-12T09:%02d:%02d.000Z</launchTime><placement><availabilityZone>eu-west-1a</availabilityZone><groupName/><tenancy>default</tenancy></placement><monitoring><state>disabled</state></monitoring><subnetId>subnet-0123456789abcdef0</subnetId><vpcId>vpc-0123456789abcdef0</vpcId><privateIpAddress>10.0.%d.%d</privateIpAddress><sourceDestCheck>true</sourceDestCheck><groupSet><item><groupId>sg-0123456789abcdef0</groupId><groupName>default</groupName></item></groupSet><architecture>x86_64</architecture><rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/xvda</rootDeviceName><blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><volumeId>vol-%017x</volumeId><status>attached</status><attachTime>2024-03-12T09:00:00.000Z</attachTime><deleteOnTermination>true</deleteOnTermination></ebs></item></blockDeviceMapping><virtualizationType>hvm</virtualizationType><clientToken/><tagSet><item><key>Name</key><value>web-%d</value></item><item><key>env</key><value>prod</value></item><item><key>owner</key><value>platform@example.org</value></item></tagSet><hypervisor>xen</hypervisor><ebsOptimized>false</ebsOptimized><enaSupport>true</enaSupport><cpuOptions><coreCount>1</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions><metadataOptions><state>applied</state><httpTokens>required</httpTokens><httpPutResponseHopLimit>2</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint></metadataOptions></item>`,
		i, i>>8&255, i&255, i/60%60, i%60, i>>8&255, i&255, i, i)
}

func instancesXML(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>8f7724cf-496f-496e-8fe3-example</requestId><reservationSet>`)
	for i := range n {
		fmt.Fprintf(&b, `<item><reservationId>r-%017x</reservationId><ownerId>123456789012</ownerId><groupSet/><instancesSet>`, i)
		instanceXML(&b, i)
		b.WriteString(`</instancesSet></item>`)
	}
	b.WriteString(`</reservationSet></DescribeInstancesResponse>`)
	return b.Bytes()
}

func instancesJSON(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"Reservations":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"ReservationId":"r-%017x","OwnerId":"123456789012","Groups":[],"Instances":[{"InstanceId":"i-%017x","ImageId":"ami-0abcdef1234567890","State":{"Code":16,"Name":"running"},"PrivateDnsName":"ip-10-0-%d-%d.eu-west-1.compute.internal","PublicDnsName":"","StateTransitionReason":"","KeyName":"ops","AmiLaunchIndex":0,"ProductCodes":[],"InstanceType":"m5.large","LaunchTime":"2024-03-12T09:%02d:%02d.000Z","Placement":{"AvailabilityZone":"eu-west-1a","GroupName":"","Tenancy":"default"},"Monitoring":{"State":"disabled"},"SubnetId":"subnet-0123456789abcdef0","VpcId":"vpc-0123456789abcdef0","PrivateIpAddress":"10.0.%d.%d","SourceDestCheck":true,"SecurityGroups":[{"GroupId":"sg-0123456789abcdef0","GroupName":"default"}],"Architecture":"x86_64","RootDeviceType":"ebs","RootDeviceName":"/dev/xvda","BlockDeviceMappings":[{"DeviceName":"/dev/xvda","Ebs":{"VolumeId":"vol-%017x","Status":"attached","AttachTime":"2024-03-12T09:00:00.000Z","DeleteOnTermination":true}}],"VirtualizationType":"hvm","ClientToken":"","Tags":[{"Key":"Name","Value":"web-%d"},{"Key":"env","Value":"prod"},{"Key":"owner","Value":"platform@example.org"}],"Hypervisor":"xen","EbsOptimized":false,"EnaSupport":true,"CpuOptions":{"CoreCount":1,"ThreadsPerCore":2},"MetadataOptions":{"State":"applied","HttpTokens":"required","HttpPutResponseHopLimit":2,"HttpEndpoint":"enabled"}}]}`,
			i, i, i>>8&255, i&255, i/60%60, i%60, i>>8&255, i&255, i, i)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}
