package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Client talks to a running Baton over its unix socket.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient makes a Client; nothing is dialled before the first call.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		d := net.Dialer{Timeout: 5 * time.Second}
		return d.DialContext(ctx, "unix", socket)
	}
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Status asks for the status.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var st Status
	resp, err := c.do(ctx, http.MethodGet, PathStatus, nil)
	if err != nil {
		return st, err
	}
	defer closeBody(resp)
	if err := json.NewDecoder(resp.Body).Decode(&st); err != nil {
		return st, fmt.Errorf("answer of %s: %w", c.socket, err)
	}
	return st, nil
}

// Takeover runs the command.
func (c *Client) Takeover(ctx context.Context, req Request, progress func(string)) error {
	return c.command(ctx, PathTakeover, body{Request: req}, progress, nil)
}

// Handback runs the command.
func (c *Client) Handback(ctx context.Context, req Request, progress func(string)) (HandbackResult, error) {
	var out HandbackResult
	err := c.command(ctx, PathHandback, body{Request: req}, progress, &out)
	return out, err
}

// Handover runs the command.
func (c *Client) Handover(ctx context.Context, to int32, req Request, progress func(string)) error {
	return c.command(ctx, PathHandover, body{Request: req, To: &to}, progress, nil)
}

// Reload runs the command.
func (c *Client) Reload(ctx context.Context, req Request) (ReloadResult, error) {
	var out ReloadResult
	err := c.command(ctx, PathReload, body{Request: req}, nil, &out)
	return out, err
}

// SetLogLevel runs the command.
func (c *Client) SetLogLevel(ctx context.Context, level string, req Request) (LevelResult, error) {
	var out LevelResult
	err := c.command(ctx, PathLogLevel, body{Request: req, Level: level}, nil, &out)
	return out, err
}

// DumpState makes the process write its status to its log.
func (c *Client) DumpState(ctx context.Context, req Request) error {
	return c.command(ctx, PathState, body{Request: req}, nil, nil)
}

func (c *Client) command(ctx context.Context, path string, b body, progress func(string), result any) error {
	text, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	resp, err := c.do(ctx, http.MethodPost, path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	defer closeBody(resp)
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l Line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return fmt.Errorf("answer of %s: %w", c.socket, err)
		}
		switch {
		case !l.Done:
			if progress != nil {
				progress(l.Progress)
			}
		case l.Error != "":
			return &Error{Kind: l.Kind, Err: errors.New(l.Error)}
		case result != nil:
			return json.Unmarshal(l.Result, result)
		default:
			return nil
		}
	}
	if ctx.Err() != nil {
		return Unreachable("gave up waiting for the outcome, which is unknown; see `controller status`: %w", ctx.Err())
	}
	return Unreachable("the Baton at %s went away before the command ended; its outcome is unknown, see `controller status`", c.socket)
}

func (c *Client) do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, body)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, Unreachable("no running Baton answers on %s: %w", c.socket, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer closeBody(resp)
	var f failure
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&f); err != nil || f.Error == "" {
		return nil, fmt.Errorf("%s answered %s", c.socket, resp.Status)
	}
	return nil, &Error{Kind: f.Kind, Err: errors.New(f.Error)}
}

func closeBody(r *http.Response) { _ = r.Body.Close() }
