package main

import (
	"fmt"
	"strconv"
	"time"
)

// The synthetic estate: instances that are a function of their number, as
// EC2 writes them: about 2 KB each, with three tags, two security groups, one
// volume and one network interface.

var (
	zones  = [...]string{"a", "b", "c"}
	types  = [...]string{"t3.micro", "m5.large", "c5.xlarge", "r5.2xlarge"}
	states = [...][2]string{{"16", "running"}, {"16", "running"}, {"16", "running"}, {"80", "stopped"}}
	start  = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
)

// appendPage appends a DescribeInstances answer with the instances from first
// on, ten to a reservation, and the token for the next page if it is not empty.
func appendPage(b []byte, region, account string, first, n int, token string) []byte {
	b = append(b, `<?xml version="1.0" encoding="UTF-8"?>
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>6cd1a4ad-5b1d-4bd7-b3c5-3c1d1e0f8c31</requestId><reservationSet>`...)
	for i := first; i < first+n; i += 10 {
		b = fmt.Appendf(b, `<item><reservationId>r-%017x</reservationId><ownerId>%s</ownerId><groupSet/><instancesSet>`, i/10, account)
		for j := i; j < min(i+10, first+n); j++ {
			b = appendInstance(b, region, j)
		}
		b = append(b, `</instancesSet></item>`...)
	}
	b = append(b, `</reservationSet>`...)
	if token != "" {
		b = append(b, `<nextToken>`+token+`</nextToken>`...)
	}
	return append(b, `</DescribeInstancesResponse>`...)
}

func appendInstance(b []byte, region string, i int) []byte {
	el := func(name, value string) {
		b = append(b, '<')
		b = append(b, name...)
		b = append(b, '>')
		b = append(b, value...)
		b = append(b, '<', '/')
		b = append(b, name...)
		b = append(b, '>')
	}
	num := strconv.Itoa
	id := func(prefix string, n int) string { return fmt.Sprintf("%s-%017x", prefix, n) }
	ip := fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255)
	launched := start.Add(time.Duration(i) * 7 * time.Second).Format("2006-01-02T15:04:05.000Z")
	state := states[i%len(states)]
	b = append(b, `<item>`...)
	el("instanceId", id("i", i))
	el("imageId", id("ami", i%97))
	el("instanceState", "<code>"+state[0]+"</code><name>"+state[1]+"</name>")
	el("privateDnsName", "ip-"+ip+"."+region+".compute.internal")
	el("dnsName", "")
	el("reason", "")
	el("keyName", "ops-"+num(i%11))
	el("amiLaunchIndex", num(i%10))
	el("productCodes", "")
	el("instanceType", types[i%len(types)])
	el("launchTime", launched)
	el("placement", "<availabilityZone>"+region+zones[i%3]+"</availabilityZone><groupName/><tenancy>default</tenancy>")
	el("monitoring", "<state>disabled</state>")
	el("subnetId", id("subnet", i%40))
	el("vpcId", id("vpc", i%10))
	el("privateIpAddress", ip)
	el("sourceDestCheck", "true")
	el("groupSet", "<item><groupId>"+id("sg", i%50)+"</groupId><groupName>web-"+num(i%50)+"</groupName></item><item><groupId>"+
		id("sg", 50+i%7)+"</groupId><groupName>base-"+num(i%7)+"</groupName></item>")
	el("architecture", "x86_64")
	el("rootDeviceType", "ebs")
	el("rootDeviceName", "/dev/xvda")
	el("blockDeviceMapping", "<item><deviceName>/dev/xvda</deviceName><ebs><volumeId>"+id("vol", i)+"</volumeId><status>attached</status><attachTime>"+
		launched+"</attachTime><deleteOnTermination>true</deleteOnTermination></ebs></item>")
	el("virtualizationType", "hvm")
	el("clientToken", fmt.Sprintf("c0ffee00-0000-4000-8000-%012x", i))
	el("tagSet", "<item><key>Name</key><value>node-"+num(i)+"</value></item><item><key>owner</key><value>team-"+num(i%23)+
		"@example.org</value></item><item><key>env</key><value>prod</value></item>")
	el("hypervisor", "xen")
	el("networkInterfaceSet", "<item><networkInterfaceId>"+id("eni", i)+"</networkInterfaceId><subnetId>"+id("subnet", i%40)+"</subnetId><vpcId>"+id("vpc", i%10)+
		"</vpcId><description/><ownerId>111111111111</ownerId><status>in-use</status><macAddress>02:00:00:00:00:01</macAddress><privateIpAddress>"+ip+
		"</privateIpAddress><sourceDestCheck>true</sourceDestCheck><groupSet><item><groupId>"+id("sg", i%50)+"</groupId><groupName>web-"+num(i%50)+
		"</groupName></item></groupSet><attachment><attachmentId>"+id("eni-attach", i)+"</attachmentId><deviceIndex>0</deviceIndex><status>attached</status><attachTime>"+launched+
		"</attachTime><deleteOnTermination>true</deleteOnTermination><networkCardIndex>0</networkCardIndex></attachment><interfaceType>interface</interfaceType></item>")
	el("iamInstanceProfile", "<arn>arn:aws:iam::111111111111:instance-profile/web-"+num(i%13)+"</arn><id>AIPA"+num(1000+i%13)+"</id>")
	el("ebsOptimized", "false")
	el("enaSupport", "true")
	el("cpuOptions", "<coreCount>1</coreCount><threadsPerCore>2</threadsPerCore>")
	el("capacityReservationSpecification", "<capacityReservationPreference>open</capacityReservationPreference>")
	el("hibernationOptions", "<configured>false</configured>")
	el("enclaveOptions", "<enabled>false</enabled>")
	el("metadataOptions", "<state>applied</state><httpTokens>required</httpTokens><httpPutResponseHopLimit>2</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint><httpProtocolIpv6>disabled</httpProtocolIpv6><instanceMetadataTags>disabled</instanceMetadataTags>")
	el("platformDetails", "Linux/UNIX")
	el("usageOperation", "RunInstances")
	el("usageOperationUpdateTime", launched)
	el("privateDnsNameOptions", "<hostnameType>ip-name</hostnameType><enableResourceNameDnsARecord>false</enableResourceNameDnsARecord><enableResourceNameDnsAAAARecord>false</enableResourceNameDnsAAAARecord>")
	el("maintenanceOptions", "<autoRecovery>default</autoRecovery>")
	el("currentInstanceBootMode", "legacy-bios")
	return append(b, `</item>`...)
}
