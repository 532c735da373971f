// Kafka Streams: a topology of one map, with its defaults except for the producer's batches, and Jackson.

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Locale;
import java.util.Properties;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;

public final class KafkaStreamsMap {
    private static final ObjectMapper JSON = new ObjectMapper();

    private KafkaStreamsMap() {}

    /** Run until SIGTERM; the arguments are address, source, target, group and guarantee. */
    public static void main(String[] arguments) {
        Properties config = new Properties();
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[3]);
        config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, arguments[4]);
        config.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        config.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 1_000_000);

        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(arguments[1], Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
                .mapValues(KafkaStreamsMap::upper)
                .to(arguments[2], Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));

        KafkaStreams streams = new KafkaStreams(builder.build(), config);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    private static byte[] upper(byte[] value) {
        try {
            ObjectNode login = JSON.readValue(value, ObjectNode.class);
            if (login.has("device_type")) {
                login.put("device_type", login.get("device_type").textValue().toUpperCase(Locale.ROOT));
            }
            return JSON.writeValueAsBytes(login);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}
