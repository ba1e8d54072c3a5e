"""A producer that knows nothing of this code base: only Kafka, and the schema in the registry.

Usage: outside_producer.py BROKER REGISTRY CLIENT_KEY SKU_ID UNIT_PRICE_FEN PLACED_AT_MS
"""

import io
import json
import struct
import sys
import urllib.request

import fastavro
from confluent_kafka import Producer


def main(broker: str, registry: str, key: str, sku: str, price: str, placed_at: str) -> None:
    """Place one order for two units."""
    subject = "orderstream.order.PlaceOrderIntent"
    with urllib.request.urlopen(f"{registry}/subjects/{subject}/versions/latest") as response:
        registered = json.load(response)
    schema = fastavro.parse_schema(json.loads(registered["schema"]))
    body = io.BytesIO()
    body.write(struct.pack(">bI", 0, registered["id"]))
    fastavro.schemaless_writer(
        body,
        schema,
        {
            "shop_id": 1,
            "user_id": 7,
            "client_key": key,
            "lines": [{"sku_id": int(sku), "qty": 2, "unit_price_fen": int(price)}],
            "total_fen": 2 * int(price),
            "placed_at_ms": int(placed_at),
            "pay_channel": "sim",
        },
    )
    producer = Producer({"bootstrap.servers": broker})
    producer.produce("order.intents", body.getvalue(), key)
    producer.flush(10)


if __name__ == "__main__":
    main(*sys.argv[1:])
