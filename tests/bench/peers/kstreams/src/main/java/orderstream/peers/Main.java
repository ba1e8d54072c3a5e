package orderstream.peers;

import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * The workload on Kafka Streams: two processors with RocksDB stores, caches and changelogs.
 *
 * <p>From the environment: KAFKA, DATA (a folder of its own), GUARANTEE, COMMIT_MS, THREADS.
 */
public final class Main {
    private static final long CACHE_BYTES = 64L << 20;
    private static final int PRODUCER_BATCH_BYTES = 256 << 10;

    static Topology topology() {
        Serde<String> key = Serdes.String();
        return new Topology()
                .addSource(
                        "orders-in",
                        key.deserializer(),
                        Messages.ORDER_COMMANDS.deserializer(),
                        "order.commands")
                .addProcessor("orders", Orders::new, "orders-in")
                .addStateStore(store(Orders.STORE, Messages.ORDERS), "orders")
                .addSink(
                        Orders.TO_INVENTORY,
                        "inventory.commands",
                        key.serializer(),
                        Messages.INVENTORY_COMMANDS.serializer(),
                        "orders")
                .addSink(
                        Orders.EVENTS,
                        "order.events",
                        key.serializer(),
                        Messages.ORDER_EVENTS.serializer(),
                        "orders")
                .addSource(
                        "inventory-in",
                        key.deserializer(),
                        Messages.INVENTORY_COMMANDS.deserializer(),
                        "inventory.commands")
                .addProcessor("inventory", Inventory::new, "inventory-in")
                .addStateStore(store(Inventory.STORE, Messages.STOCK), "inventory")
                .addSink(
                        Inventory.TO_ORDERS,
                        "order.commands",
                        key.serializer(),
                        Messages.ORDER_COMMANDS.serializer(),
                        "inventory")
                .addSink(
                        Inventory.EVENTS,
                        "inventory.events",
                        key.serializer(),
                        Messages.INVENTORY_EVENTS.serializer(),
                        "inventory");
    }

    private static <V> StoreBuilder<KeyValueStore<String, V>> store(String name, Serde<V> serde) {
        return Stores.keyValueStoreBuilder(
                        Stores.persistentKeyValueStore(name), Serdes.String(), serde)
                .withCachingEnabled()
                .withLoggingEnabled(Map.of());
    }

    private static Properties settings(Map<String, String> env) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "peers-kstreams");
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, env.get("KAFKA"));
        settings.put(StreamsConfig.STATE_DIR_CONFIG, env.get("DATA"));
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, env.get("GUARANTEE"));
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, env.get("COMMIT_MS"));
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, env.get("THREADS"));
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, CACHE_BYTES);
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 2000);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 2);
        settings.put(
                StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG),
                PRODUCER_BATCH_BYTES);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        return settings;
    }

    public static void main(String[] arguments) {
        KafkaStreams streams = new KafkaStreams(topology(), settings(System.getenv()));
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    private Main() {}
}
