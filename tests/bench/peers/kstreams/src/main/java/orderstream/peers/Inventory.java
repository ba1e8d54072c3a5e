package orderstream.peers;

import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import orderstream.peers.Messages.Deducted;
import orderstream.peers.Messages.InventoryCommand;
import orderstream.peers.Messages.OrderCommand;
import orderstream.peers.Messages.Stock;

/** Stock: units are kept for an order, then they leave. */
final class Inventory implements Processor<String, InventoryCommand, String, Object> {
    static final String STORE = "stock", TO_ORDERS = "to-orders", EVENTS = "inventory-events";

    private ProcessorContext<String, Object> context;
    private KeyValueStore<String, Stock> stock;

    @Override
    public void init(ProcessorContext<String, Object> context) {
        this.context = context;
        stock = context.getStateStore(STORE);
    }

    @Override
    public void process(Record<String, InventoryCommand> record) {
        InventoryCommand command = record.value();
        Stock known = stock.get(record.key());
        if (known == null) {
            known = Stock.ofNewSku();
        }
        if (command.kind() == Messages.RESERVE) {
            known.kept().put(command.order(), command.qty());
            stock.put(record.key(), new Stock(known.available() - command.qty(), known.kept()));
            var reply = record.withKey(command.order()).withValue(OrderCommand.LINE_RESERVED);
            context.forward(reply, TO_ORDERS);
        } else if (known.kept().remove(command.order()) != null) {
            stock.put(record.key(), known);
            var deducted = new Deducted(command.order(), command.qty(), known.available());
            context.forward(record.withValue(deducted), EVENTS);
        }
    }
}
