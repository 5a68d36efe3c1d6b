package check

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/cluster"
)

func (p Prober) dial(ctx context.Context, addr string) (net.Conn, error) {
	timeout := p.Timeout
	if timeout == 0 {
		timeout = 5 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	dial := p.Dial
	if dial == nil {
		var d net.Dialer
		dial = func(ctx context.Context, addr string) (net.Conn, error) { return d.DialContext(ctx, "tcp", addr) }
	}
	c, err := dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(deadline)
}

// zooKeeper asks one server with the command srvr, the only one of its kind that ZooKeeper allows by default. A server
// that refuses the command is reachable all the same.
func (p Prober) zooKeeper(ctx context.Context, addr string) Server {
	out := Server{Addr: addr}
	c, err := p.dial(ctx, addr)
	if err != nil {
		out.Err = err.Error()
		return out
	}
	defer closeQuietly(c)
	if _, err := io.WriteString(c, "srvr"); err != nil {
		out.Err = err.Error()
		return out
	}
	lines := bufio.NewScanner(io.LimitReader(c, 64<<10))
	for lines.Scan() {
		line := lines.Text()
		if v, ok := strings.CutPrefix(line, "Zookeeper version: "); ok {
			out.Version, _, _ = strings.Cut(v, "-")
		}
		if v, ok := strings.CutPrefix(line, "Mode: "); ok {
			out.Mode = v
		}
		if strings.HasPrefix(line, "This ZooKeeper instance is not currently serving requests") {
			out.Err = "it is up but serves nothing: its ensemble has no quorum"
		}
	}
	if err := lines.Err(); err != nil && out.Mode == "" {
		out.Err = err.Error()
	}
	return out
}

func closeQuietly(c io.Closer) { _ = c.Close() } // only read from: nothing can be lost

// Broker asks one broker, where a controller would call it, what it reads and how it is configured.
func (p Prober) Broker(ctx context.Context, b cluster.Broker, listener string) Broker {
	out := Broker{Broker: b}
	p.broker(ctx, &out, listener)
	return out
}

// APIs asks one broker for the versions it reads, by API key; nil if it does not answer.
func (p Prober) APIs(ctx context.Context, b cluster.Broker, listener string) map[int16][2]int16 {
	e, ok := b.Endpoint(listener)
	if !ok || e.Protocol != cluster.Plaintext {
		return nil
	}
	c, err := p.dial(ctx, net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))))
	if err != nil {
		return nil
	}
	defer closeQuietly(c)
	apis, err := apiVersions(c)
	if err != nil {
		return nil
	}
	out := make(map[int16][2]int16, len(apis))
	for key, r := range apis {
		out[key] = [2]int16{r.Min, r.Max}
	}
	return out
}

// Controller returns the controller that a broker's own metadata names, -1 for none.
func (p Prober) Controller(ctx context.Context, addr string) (int32, error) {
	c, err := p.dial(ctx, addr)
	if err != nil {
		return -1, err
	}
	defer closeQuietly(c)
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 1                            // every broker answers it
	req.Topics = []kmsg.MetadataRequestTopic{} // of no topic
	resp, err := call(c, req)
	if err != nil {
		return -1, fmt.Errorf("Metadata: %w", err) //nolint:staticcheck // the request's name
	}
	m, ok := resp.(*kmsg.MetadataResponse)
	if !ok {
		return -1, fmt.Errorf("Metadata: answered by %T", resp) //nolint:staticcheck // the request's name
	}
	return m.ControllerID, nil
}

// broker asks one broker, where a controller would call it, what it reads and how it is configured.
func (p Prober) broker(ctx context.Context, b *Broker, listener string) {
	e, ok := b.Endpoint(listener)
	if b.Baton || !ok {
		return
	}
	b.Addr = net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))
	if protocolNames[e.Protocol] != "PLAINTEXT" {
		b.Err = "the listener is " + protocolNames[e.Protocol] + ", which this release does not speak"
		return
	}
	c, err := p.dial(ctx, b.Addr)
	if err != nil {
		b.Err = err.Error()
		return
	}
	defer closeQuietly(c)
	if b.APIs, err = apiVersions(c); err != nil {
		b.Err = err.Error()
		return
	}
	if b.Configs, err = describe(c, b.ID, b.APIs); err != nil {
		b.ConfErr = err.Error()
	}
}

func apiVersions(c net.Conn) (map[int16]Range, error) {
	req := kmsg.NewPtrApiVersionsRequest()
	req.Version = 0 // every broker and every version of it answers v0
	resp, err := call(c, req)
	if err != nil {
		return nil, fmt.Errorf("ApiVersions: %w", err)
	}
	v, ok := resp.(*kmsg.ApiVersionsResponse)
	if !ok || kerr.ErrorForCode(v.ErrorCode) != nil {
		return nil, errors.New("ApiVersions: refused")
	}
	out := make(map[int16]Range, len(v.ApiKeys))
	for _, k := range v.ApiKeys {
		out[k.ApiKey] = Range{k.MinVersion, k.MaxVersion}
	}
	return out, nil
}

// describeVersion is the highest version of DescribeConfigs without tagged fields; all brokers from 2.6 read it, and
// older ones a lower one.
const describeVersion = 3

const uncleanKey = "unclean.leader.election.enable"

func describe(c net.Conn, broker int32, apis map[int16]Range) (map[string]string, error) {
	req := kmsg.NewPtrDescribeConfigsRequest()
	have, ok := apis[req.Key()]
	if !ok || have.Min > describeVersion {
		return nil, errors.New("DescribeConfigs is not served on this listener")
	}
	req.Version = min(have.Max, describeVersion)
	res := kmsg.NewDescribeConfigsRequestResource()
	res.ResourceType = kmsg.ConfigResourceTypeBroker
	res.ResourceName = strconv.Itoa(int(broker))
	req.Resources = append(req.Resources, res)
	resp, err := call(c, req)
	if err != nil {
		return nil, fmt.Errorf("DescribeConfigs: %w", err)
	}
	d, ok := resp.(*kmsg.DescribeConfigsResponse)
	if !ok || len(d.Resources) != 1 {
		return nil, errors.New("DescribeConfigs: not the answer to what was asked")
	}
	if err := kerr.ErrorForCode(d.Resources[0].ErrorCode); err != nil {
		return nil, fmt.Errorf("DescribeConfigs: %w", err)
	}
	out := make(map[string]string, len(d.Resources[0].Configs))
	for _, x := range d.Resources[0].Configs {
		if x.Name == uncleanKey && x.Source == kmsg.ConfigSourceDynamicDefaultBrokerConfig {
			continue // Baton follows the cluster's dynamic default itself, so this says nothing of the static one
		}
		if x.Value != nil {
			out[x.Name] = *x.Value
		}
	}
	return out, nil
}

// maxAnswer keeps a port that is not Kafka's from making us allocate what its first four bytes happen to mean.
const maxAnswer = 16 << 20

// call sends one request of a version without tagged fields and reads its answer.
func call(c net.Conn, req kmsg.Request) (kmsg.Response, error) {
	const correlation = 1
	f := kmsg.NewRequestFormatter(kmsg.FormatterClientID("baton-check"))
	if _, err := c.Write(f.AppendRequest(nil, req, correlation)); err != nil {
		return nil, err
	}
	var head [8]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return nil, fmt.Errorf("no answer: %w", err)
	}
	size := int32(binary.BigEndian.Uint32(head[:4]))
	if size < 4 || size > maxAnswer || binary.BigEndian.Uint32(head[4:]) != correlation {
		return nil, errors.New("whatever answers there is not Kafka")
	}
	body := make([]byte, size-4)
	if _, err := io.ReadFull(c, body); err != nil {
		return nil, fmt.Errorf("answer cut short: %w", err)
	}
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	if err := resp.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("answer not understood: %w", err)
	}
	return resp, nil
}
