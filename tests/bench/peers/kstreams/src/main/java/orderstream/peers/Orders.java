package orderstream.peers;

import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import orderstream.peers.Messages.InventoryCommand;
import orderstream.peers.Messages.Line;
import orderstream.peers.Messages.Order;
import orderstream.peers.Messages.OrderCommand;
import orderstream.peers.Messages.OrderEvent;

/** Orders: placed, created when all lines are reserved, paid. */
final class Orders implements Processor<String, OrderCommand, String, Object> {
    static final String STORE = "orders", TO_INVENTORY = "to-inventory", EVENTS = "order-events";

    private ProcessorContext<String, Object> context;
    private KeyValueStore<String, Order> orders;

    @Override
    public void init(ProcessorContext<String, Object> context) {
        this.context = context;
        orders = context.getStateStore(STORE);
    }

    @Override
    public void process(Record<String, OrderCommand> record) {
        Order known = orders.get(record.key());
        switch (record.value().kind()) {
            case Messages.PLACE -> {
                if (known == null) {
                    place(record);
                }
            }
            case Messages.RESERVED -> {
                if (known != null) {
                    reserved(record, known);
                }
            }
            case Messages.PAID -> {
                if (known != null && known.pending() == 0 && !known.isPaid()) {
                    paid(record, known);
                }
            }
            default -> throw new IllegalArgumentException("no such command: " + record.value());
        }
    }

    private void place(Record<String, OrderCommand> record) {
        OrderCommand command = record.value();
        int pending = command.lines().size();
        orders.put(record.key(), new Order(command.lines(), command.atMs(), pending, false));
        for (Line line : command.lines()) {
            var reserve = new InventoryCommand(Messages.RESERVE, record.key(), line.qty());
            context.forward(record.withKey(line.sku()).withValue(reserve), TO_INVENTORY);
        }
    }

    private void reserved(Record<String, OrderCommand> record, Order known) {
        int pending = known.pending() - 1;
        orders.put(record.key(), new Order(known.lines(), known.atMs(), pending, false));
        if (pending == 0) {
            var created = new OrderEvent("created", known.atMs(), known.lines());
            context.forward(record.withValue(created), EVENTS);
        }
    }

    private void paid(Record<String, OrderCommand> record, Order known) {
        orders.put(record.key(), new Order(known.lines(), known.atMs(), 0, true));
        for (Line line : known.lines()) {
            var deduct = new InventoryCommand(Messages.DEDUCT, record.key(), line.qty());
            context.forward(record.withKey(line.sku()).withValue(deduct), TO_INVENTORY);
        }
        context.forward(record.withValue(new OrderEvent("paid", known.atMs(), known.lines())), EVENTS);
    }
}
