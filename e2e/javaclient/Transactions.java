import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Writes to one topic, copies it to another in transactions as a consumer group, of which one is aborted, and reads
 * what was committed. Neither topic nor anything else needs to exist.
 */
final class Transactions {
    private static final int MESSAGES = 20;

    private Transactions() {}

    static String run(String bootstrap, String in, String out, String group) throws Exception {
        try (KafkaProducer<String, String> p = producer(bootstrap, null)) {
            for (int i = 0; i < MESSAGES; i++) {
                p.send(new ProducerRecord<>(in, "k" + i, "v" + i)).get();
            }
        }
        try (KafkaProducer<String, String> p = producer(bootstrap, group + "-tx");
            KafkaConsumer<String, String> c = consumer(bootstrap, group)) {
            p.initTransactions();
            p.beginTransaction();
            p.send(new ProducerRecord<>(out, "aborted", "aborted"));
            p.flush();
            p.abortTransaction();
            copy(p, c, in, out);
        }
        Set<String> seen = new HashSet<>();
        try (KafkaConsumer<String, String> c = consumer(bootstrap, group + "-read")) {
            read(c, out, seen);
        }
        return seen.size() + " of " + MESSAGES;
    }

    private static void copy(KafkaProducer<String, String> p, KafkaConsumer<String, String> c, String in, String out) {
        c.subscribe(List.of(in));
        long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        for (int copied = 0; copied < MESSAGES && System.nanoTime() < end;) {
            Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
            p.beginTransaction();
            for (ConsumerRecord<String, String> r : c.poll(Duration.ofMillis(200))) {
                p.send(new ProducerRecord<>(out, r.key(), r.value()));
                offsets.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
                copied++;
            }
            p.sendOffsetsToTransaction(offsets, c.groupMetadata());
            p.commitTransaction();
        }
    }

    private static void read(KafkaConsumer<String, String> c, String topic, Set<String> seen) {
        c.subscribe(List.of(topic));
        long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (seen.size() < MESSAGES && System.nanoTime() < end) {
            for (ConsumerRecord<String, String> r : c.poll(Duration.ofMillis(200))) {
                if (!seen.add(r.value()) || r.value().equals("aborted")) {
                    throw new IllegalStateException("read " + r.value() + ", doubled or aborted");
                }
            }
        }
        c.commitSync();
    }

    private static KafkaProducer<String, String> producer(String bootstrap, String transaction) {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "linger.ms", "0"));
        if (transaction != null) {
            config.put("transactional.id", transaction);
        }
        return new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
    }

    private static KafkaConsumer<String, String> consumer(String bootstrap, String group) {
        return new KafkaConsumer<>(Map.of("bootstrap.servers", bootstrap, "group.id", group,
            "auto.offset.reset", "earliest", "enable.auto.commit", "false", "isolation.level", "read_committed",
            // A topic that a subscription has to wait for is looked for again soon.
            "metadata.max.age.ms", "1000"), new StringDeserializer(), new StringDeserializer());
    }
}
