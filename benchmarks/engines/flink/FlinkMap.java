// Flink on its Kafka connector: one map in this process, with a checkpoint each second, and Jackson.

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.Locale;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetResetStrategy;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;

public final class FlinkMap {
    private static final ObjectMapper JSON = new ObjectMapper();

    private FlinkMap() {}

    /** What passes through the job. */
    public record Login(byte[] key, byte[] value) {}

    /** Run until SIGTERM; the arguments are address, source, target, group and guarantee. */
    public static void main(String[] arguments) throws Exception {
        KafkaSource<Login> source = KafkaSource.<Login>builder()
                .setBootstrapServers(arguments[0])
                .setTopics(arguments[1])
                .setGroupId(arguments[3])
                .setStartingOffsets(OffsetsInitializer.committedOffsets(OffsetResetStrategy.EARLIEST))
                .setDeserializer(new Deserializer())
                .build();
        String target = arguments[2];
        KafkaSink<Login> sink = KafkaSink.<Login>builder()
                .setBootstrapServers(arguments[0])
                .setRecordSerializer((login, context, time) -> new ProducerRecord<>(target, login.key(), login.value()))
                .setDeliveryGuarantee(DeliveryGuarantee.valueOf(arguments[4].toUpperCase(Locale.ROOT).replace('-', '_')))
                .setProperty(ProducerConfig.COMPRESSION_TYPE_CONFIG, "lz4")
                .setProperty(ProducerConfig.BATCH_SIZE_CONFIG, "1000000")
                .build();

        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
        environment.setParallelism(1);
        environment.enableCheckpointing(1_000);
        environment.getConfig().enableObjectReuse(); // no copies between source, map and sink
        environment.fromSource(source, WatermarkStrategy.noWatermarks(), "logins").map(FlinkMap::upper).sinkTo(sink);
        environment.execute();
    }

    private static Login upper(Login login) throws IOException {
        ObjectNode members = JSON.readValue(login.value(), ObjectNode.class);
        if (members.has("device_type")) {
            members.put("device_type", members.get("device_type").textValue().toUpperCase(Locale.ROOT));
        }
        return new Login(login.key(), JSON.writeValueAsBytes(members));
    }

    /** Takes key and value as they are. */
    private static final class Deserializer implements KafkaRecordDeserializationSchema<Login> {
        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Login> out) {
            out.collect(new Login(record.key(), record.value()));
        }

        @Override
        public TypeInformation<Login> getProducedType() {
            return TypeInformation.of(Login.class);
        }
    }
}
