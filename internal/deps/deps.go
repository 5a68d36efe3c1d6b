// Package deps pins the modules the project builds on until each has its first user.
package deps

import (
	_ "github.com/IBM/sarama"
	_ "github.com/cockroachdb/datadriven"
	_ "github.com/go-zookeeper/zk"
	_ "github.com/prometheus/client_golang/prometheus"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/spf13/cobra"
	_ "github.com/twmb/franz-go/pkg/kgo"
	_ "github.com/twmb/franz-go/pkg/kmsg"
	_ "go.uber.org/zap"
)
