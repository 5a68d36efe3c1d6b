package baton;

import java.lang.instrument.Instrumentation;
import net.bytebuddy.agent.builder.AgentBuilder;
import net.bytebuddy.asm.Advice;
import net.bytebuddy.implementation.bytecode.assign.Assigner;
import net.bytebuddy.matcher.ElementMatchers;

/**
 * Loaded with -javaagent: tells Attachments when an embedded ZooKeeper starts, when it is about to stop, and when a broker starts, Reaching
 * when somebody asks a broker for its controller, and lets Elsewhere correct two views of Kafka's test helpers. The test classes, and what
 * brokers and ZooKeeper do, stay as they are. This class names none of the classes that it changes: the JVM would load them while they are
 * being changed.
 */
public final class Agent {
    private Agent() {}

    public static void premain(String args, Instrumentation instrumentation) {
        new AgentBuilder.Default()
            .with(AgentBuilder.Listener.StreamWriting.toSystemError().withErrorsOnly())
            .with(AgentBuilder.TypeStrategy.Default.REDEFINE)
            .with(AgentBuilder.InitializationStrategy.NoOp.INSTANCE)
            .type(ElementMatchers.named("kafka.zk.EmbeddedZookeeper"))
            .transform((builder, type, loader, module, domain) -> builder
                .visit(Advice.to(ZooKeeperStarted.class).on(ElementMatchers.isConstructor()))
                .visit(Advice.to(ZooKeeperStops.class).on(ElementMatchers.named("shutdown"))))
            .type(ElementMatchers.named("kafka.server.KafkaServer"))
            .transform((builder, type, loader, module, domain) -> builder
                .visit(Advice.to(BrokerStarts.class).on(ElementMatchers.named("createCurrentControllerIdMetric")))
                .visit(Advice.to(ControllerAsked.class).on(ElementMatchers.named("kafkaController"))))
            .type(ElementMatchers.named("kafka.server.metadata.ZkMetadataCache"))
            .transform((builder, type, loader, module, domain) -> builder
                .visit(Advice.to(AliveBrokers.class).on(ElementMatchers.named("getAliveBrokers"))))
            .type(ElementMatchers.named("com.yammer.metrics.core.Meter"))
            .transform((builder, type, loader, module, domain) -> builder
                .visit(Advice.to(MeterCount.class).on(ElementMatchers.named("count"))))
            .installOn(instrumentation);
    }

    static final class ZooKeeperStarted {
        @Advice.OnMethodExit
        static void exit(@Advice.This Object zookeeper) {
            Attachments.zooKeeperStarted(zookeeper);
        }
    }

    static final class ZooKeeperStops {
        @Advice.OnMethodEnter
        static void enter(@Advice.This Object zookeeper) {
            Attachments.zooKeeperStops(zookeeper);
        }
    }

    /**
     * The method that carries this one is called by KafkaServer.startup once the broker has made ZooKeeper's directories and the cluster id,
     * before it registers and before its own controller exists.
     */
    static final class BrokerStarts {
        @Advice.OnMethodEnter
        static void enter(@Advice.This Object broker) {
            Attachments.brokerStarts(broker);
        }
    }

    static final class ControllerAsked {
        @Advice.OnMethodEnter
        static void enter() {
            Reaching.controllerAsked();
        }
    }

    static final class AliveBrokers {
        @Advice.OnMethodExit
        static void exit(@Advice.Return(readOnly = false, typing = Assigner.Typing.DYNAMIC) Object brokers) {
            brokers = Elsewhere.aliveBrokers(brokers);
        }
    }

    static final class MeterCount {
        @Advice.OnMethodExit
        static void exit(@Advice.This Object meter, @Advice.Return(readOnly = false) long count) {
            count = Elsewhere.meterCount(meter, count);
        }
    }
}
