package kafka

import (
	"fmt"
	"os"
	"path/filepath"
)

// javaFlags keep a JVM small and quick to start: on two cores a handful of them run side by side, so the optimising
// compiler and a parallel collector would cost more than they give.
func javaFlags(heapMB int) []string {
	return []string{
		fmt.Sprintf("-Xmx%dm", heapMB), fmt.Sprintf("-Xms%dm", min(heapMB, 64)),
		"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss512k", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError",
		"-Djava.awt.headless=true", "-Djava.net.preferIPv4Stack=true",
	}
}

// writeLog4j writes the logging configuration of one process. Everything goes to standard error: a server's is its
// log, and a tool's standard output stays what the tool prints.
func writeLog4j(dir, level string, loggers map[string]string) (string, error) {
	text := "log4j.rootLogger=" + level + ", out\n" +
		"log4j.appender.out=org.apache.log4j.ConsoleAppender\n" +
		"log4j.appender.out.target=System.err\n" +
		"log4j.appender.out.layout=org.apache.log4j.PatternLayout\n" +
		"log4j.appender.out.layout.ConversionPattern=%d{ISO8601} %-5p %m [%c{1}] [%t]%n\n"
	for _, name := range sortedKeys(loggers) {
		text += "log4j.logger." + name + "=" + loggers[name] + "\n"
	}
	path := filepath.Join(dir, "log4j.properties")
	return path, os.WriteFile(path, []byte(text), 0o644)
}

func jvm(heapMB int, shipped bool) []string {
	if shipped {
		return shippedFlags(heapMB)
	}
	return javaFlags(heapMB)
}

// shippedFlags are those of Kafka's own start scripts, for figures that are to be compared.
func shippedFlags(heapMB int) []string {
	return []string{
		fmt.Sprintf("-Xmx%dm", heapMB), fmt.Sprintf("-Xms%dm", heapMB), "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
		"-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-XX:MaxInlineLevel=15", "-Djava.awt.headless=true",
	}
}

func javaCommand(flags []string, log4j, classpath string, more ...string) []string {
	argv := append([]string{"java"}, flags...)
	argv = append(argv, "-Dlog4j.configuration=file:"+log4j, "-cp", classpath)
	return append(argv, more...)
}
