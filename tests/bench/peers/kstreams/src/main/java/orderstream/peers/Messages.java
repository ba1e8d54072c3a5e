package orderstream.peers;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessagePacker;
import org.msgpack.core.MessageUnpacker;

/** The workload's messages and state (see workload.py), and how each looks in MessagePack. */
final class Messages {
    static final int PLACE = 0, RESERVED = 1, PAID = 2;
    static final int RESERVE = 0, DEDUCT = 1;
    private static final long UNITS = 1_000_000;

    record Line(String sku, long qty) {}

    /** {@code lines} and {@code atMs} are those of PLACE. */
    record OrderCommand(int kind, List<Line> lines, long atMs) {
        static final OrderCommand LINE_RESERVED = new OrderCommand(RESERVED, null, 0);
    }

    record InventoryCommand(int kind, String order, long qty) {}

    record OrderEvent(String name, long atMs, List<Line> lines) {}

    record Deducted(String order, long qty, long available) {}

    record Order(List<Line> lines, long atMs, int pending, boolean isPaid) {}

    /** {@code kept} are units by order. It is changed in place: its store keeps bytes. */
    record Stock(long available, Map<String, Long> kept) {
        static Stock ofNewSku() {
            return new Stock(UNITS, new HashMap<>());
        }
    }

    static final Serde<OrderCommand> ORDER_COMMANDS =
            serde(
                    (out, command) -> {
                        // Only replies are written here.
                        out.packArrayHeader(1).packInt(command.kind);
                    },
                    in -> {
                        in.unpackArrayHeader();
                        int kind = in.unpackInt();
                        if (kind == PLACE) {
                            return new OrderCommand(kind, lines(in), in.unpackLong());
                        }
                        return new OrderCommand(kind, null, 0);
                    });

    static final Serde<InventoryCommand> INVENTORY_COMMANDS =
            serde(
                    (out, command) ->
                            out.packArrayHeader(3)
                                    .packInt(command.kind)
                                    .packString(command.order)
                                    .packLong(command.qty),
                    in -> {
                        in.unpackArrayHeader();
                        return new InventoryCommand(
                                in.unpackInt(), in.unpackString(), in.unpackLong());
                    });

    static final Serde<OrderEvent> ORDER_EVENTS =
            serde(
                    (out, event) -> {
                        out.packArrayHeader(3).packString(event.name).packLong(event.atMs);
                        pack(out, event.lines);
                    },
                    in -> {
                        in.unpackArrayHeader();
                        return new OrderEvent(in.unpackString(), in.unpackLong(), lines(in));
                    });

    static final Serde<Deducted> INVENTORY_EVENTS =
            serde(
                    (out, event) ->
                            out.packArrayHeader(4)
                                    .packString("deducted")
                                    .packString(event.order)
                                    .packLong(event.qty)
                                    .packLong(event.available),
                    in -> {
                        in.unpackArrayHeader();
                        in.unpackString();
                        return new Deducted(in.unpackString(), in.unpackLong(), in.unpackLong());
                    });

    static final Serde<Order> ORDERS =
            serde(
                    (out, order) -> {
                        out.packArrayHeader(4);
                        pack(out, order.lines);
                        out.packLong(order.atMs).packInt(order.pending).packBoolean(order.isPaid);
                    },
                    in -> {
                        in.unpackArrayHeader();
                        return new Order(
                                lines(in), in.unpackLong(), in.unpackInt(), in.unpackBoolean());
                    });

    static final Serde<Stock> STOCK =
            serde(
                    (out, stock) -> {
                        out.packArrayHeader(2).packLong(stock.available);
                        out.packMapHeader(stock.kept.size());
                        for (Map.Entry<String, Long> kept : stock.kept.entrySet()) {
                            out.packString(kept.getKey()).packLong(kept.getValue());
                        }
                    },
                    in -> {
                        in.unpackArrayHeader();
                        long available = in.unpackLong();
                        Map<String, Long> kept = new HashMap<>();
                        for (int left = in.unpackMapHeader(); left > 0; left--) {
                            kept.put(in.unpackString(), in.unpackLong());
                        }
                        return new Stock(available, kept);
                    });

    private static void pack(MessagePacker out, List<Line> lines) throws IOException {
        out.packArrayHeader(lines.size());
        for (Line line : lines) {
            out.packArrayHeader(2).packString(line.sku).packLong(line.qty);
        }
    }

    private static List<Line> lines(MessageUnpacker in) throws IOException {
        int size = in.unpackArrayHeader();
        List<Line> lines = new ArrayList<>(size);
        for (int n = 0; n < size; n++) {
            in.unpackArrayHeader();
            lines.add(new Line(in.unpackString(), in.unpackLong()));
        }
        return lines;
    }

    private interface Writer<T> {
        void write(MessagePacker out, T value) throws IOException;
    }

    private interface Reader<T> {
        T read(MessageUnpacker in) throws IOException;
    }

    private static <T> Serde<T> serde(Writer<T> writer, Reader<T> reader) {
        return Serdes.serdeFrom(
                (topic, value) -> {
                    if (value == null) {
                        return null;
                    }
                    try (var out = MessagePack.newDefaultBufferPacker()) {
                        writer.write(out, value);
                        return out.toByteArray();
                    } catch (IOException error) {
                        throw new UncheckedIOException(error);
                    }
                },
                (topic, bytes) -> {
                    if (bytes == null) {
                        return null;
                    }
                    try (var in = MessagePack.newDefaultUnpacker(bytes)) {
                        return reader.read(in);
                    } catch (IOException error) {
                        throw new UncheckedIOException(error);
                    }
                });
    }

    private Messages() {}
}
