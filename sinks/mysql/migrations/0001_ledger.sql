-- The ledger's tables. Keys are natural: an upsert finds its row without a second index, and on
-- TiDB nothing is appended to one hot end as a counter would be.
-- What stands in /*partitioned ... */ takes effect where `orderstream migrate --partitioned` is used.

CREATE TABLE IF NOT EXISTS t_order (
  order_no        VARCHAR(32)  NOT NULL COMMENT 'derived from shop, user and client key',
  user_id         BIGINT       NOT NULL COMMENT 'the partitions go by it',
  version         INT          NOT NULL COMMENT 'of the last fact; 1, 2, 3 ...',
  shop_id         BIGINT       NOT NULL,
  sku_id          BIGINT       NOT NULL COMMENT 'of the first line; all lines: t_order_item',
  quantity        INT          NOT NULL COMMENT 'units of all lines',
  item_slots      INT          NOT NULL COMMENT 'the most lines it ever had',
  status          TINYINT      NOT NULL COMMENT '1 CREATED 2 PAID 3 SHIPPED ...: status_name',
  status_name     VARCHAR(16)  GENERATED ALWAYS AS (ELT(status, 'CREATED', 'PAID', 'SHIPPED',
    'COMPLETED', 'CANCELLED', 'EXPIRED', 'REJECTED', 'REFUNDED', 'RESERVING', 'PAYING',
    'FULFILLING', 'PARTLY_SHIPPED', 'CANCELLING', 'REFUNDING', 'PARTLY_REFUNDED', 'PARKED')) VIRTUAL,
  total_amount    DECIMAL(20,3) NOT NULL COMMENT 'major units of currency, as all amounts here',
  discount_amount DECIMAL(20,3) NOT NULL,
  paid_amount     DECIMAL(20,3) NOT NULL,
  refunded_amount DECIMAL(20,3) NOT NULL,
  currency        CHAR(3)      NOT NULL,
  pay_no          VARCHAR(64)  NOT NULL,
  channel         VARCHAR(32)  NOT NULL,
  flow            VARCHAR(32)  NOT NULL,
  coupons         VARCHAR(512) NOT NULL COMMENT 'codes, separated by blanks',
  waybill_no      VARCHAR(64)  NOT NULL COMMENT 'of the last parcel',
  reason          VARCHAR(255) NOT NULL COMMENT 'why it was rejected, cancelled, refunded, parked',
  trace_id        VARCHAR(64)  NOT NULL,
  placed_time     DATETIME(3)  NULL COMMENT 'UTC, as all times here',
  created_time    DATETIME(3)  NULL COMMENT 'everything is held',
  paid_time       DATETIME(3)  NULL,
  confirmed_time  DATETIME(3)  NULL COMMENT 'the stock is deducted',
  shipped_time    DATETIME(3)  NULL COMMENT 'the last parcel left',
  completed_time  DATETIME(3)  NULL,
  closed_time     DATETIME(3)  NULL COMMENT 'rejected, cancelled, expired or wholly refunded',
  expire_time     DATETIME(3)  NULL COMMENT 'to be paid until',
  updated_time    DATETIME(3)  NULL COMMENT 'of the last fact',
  PRIMARY KEY (order_no, user_id),
  KEY idx_user_status_time (user_id, status, created_time),
  KEY idx_shop_time (shop_id, placed_time)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
/*partitioned PARTITION BY HASH(user_id) PARTITIONS 128 */;

CREATE TABLE IF NOT EXISTS t_order_item (
  order_no        VARCHAR(32)  NOT NULL,
  line_no         INT          NOT NULL COMMENT '1, 2, 3 ...',
  user_id         BIGINT       NOT NULL,
  version         INT          NOT NULL COMMENT 'of the order, when the line was set',
  shop_id         BIGINT       NOT NULL,
  sku_id          BIGINT       NOT NULL,
  quantity        INT          NOT NULL COMMENT '0: an amendment took the line out',
  unit_price      DECIMAL(20,3) NOT NULL,
  discount_amount DECIMAL(20,3) NOT NULL,
  payable_amount  DECIMAL(20,3) NOT NULL,
  currency        CHAR(3)      NOT NULL,
  updated_time    DATETIME(3)  NULL,
  PRIMARY KEY (order_no, line_no, user_id),
  KEY idx_sku (sku_id)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
/*partitioned PARTITION BY HASH(user_id) PARTITIONS 128 */;

CREATE TABLE IF NOT EXISTS t_coupon_used (
  coupon_id       VARCHAR(64)  NOT NULL,
  order_no        VARCHAR(32)  NOT NULL,
  user_id         BIGINT       NOT NULL,
  version         INT          NOT NULL COMMENT 'of the order',
  shop_id         BIGINT       NOT NULL,
  status          VARCHAR(16)  NOT NULL COMMENT 'HELD, USED or RETURNED',
  trace_id        VARCHAR(64)  NOT NULL,
  updated_time    DATETIME(3)  NULL,
  PRIMARY KEY (coupon_id, order_no, user_id)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS t_inventory_snapshot (
  sku_id          BIGINT       NOT NULL COMMENT 'the partitions go by it',
  warehouse_id    VARCHAR(64)  NOT NULL,
  version         BIGINT       NOT NULL COMMENT '1, 2, 3 ... per sku and warehouse',
  shop_id         BIGINT       NOT NULL,
  pre_stock       BIGINT       NOT NULL COMMENT 'available before: on_hand - held',
  post_stock      BIGINT       NOT NULL COMMENT 'available after',
  delta           BIGINT       NOT NULL COMMENT 'negative: units were set aside',
  on_hand         BIGINT       NOT NULL COMMENT 'after',
  held            BIGINT       NOT NULL COMMENT 'after',
  delta_on_hand   BIGINT       NOT NULL,
  delta_held      BIGINT       NOT NULL,
  event_type      TINYINT      NOT NULL COMMENT '1 HELD 2 DEDUCTED 3 RELEASED ...: event_name',
  event_name      VARCHAR(16)  GENERATED ALWAYS AS (ELT(event_type, 'HELD', 'DEDUCTED', 'RELEASED',
    'RETURNED', 'RECEIVED', 'ADJUSTED', 'TRANSFERRED', 'COUNTED', 'BACKORDER_SERVED')) VIRTUAL,
  order_no        VARCHAR(32)  NOT NULL,
  hold_id         VARCHAR(96)  NOT NULL,
  ref             VARCHAR(128) NOT NULL COMMENT 'of a delivery or another document',
  reason          VARCHAR(255) NOT NULL,
  trace_id        VARCHAR(64)  NOT NULL,
  created_time    DATETIME(3)  NULL,
  PRIMARY KEY (sku_id, warehouse_id, version),
  KEY idx_sku_time (sku_id, created_time),
  KEY idx_order (order_no)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
/*partitioned PARTITION BY HASH(sku_id) PARTITIONS 16 */;

CREATE TABLE IF NOT EXISTS t_payment_result (
  order_no        VARCHAR(32)  NOT NULL,
  version         INT          NOT NULL COMMENT '1, 2, 3 ... per order''s payments',
  shop_id         BIGINT       NOT NULL,
  pay_no          VARCHAR(64)  NOT NULL,
  refund_no       VARCHAR(64)  NOT NULL,
  status          VARCHAR(16)  NOT NULL COMMENT 'REQUESTED, SUCCEEDED, FAILED, REFUNDED ...',
  channel         VARCHAR(32)  NOT NULL,
  gateway         VARCHAR(32)  NOT NULL,
  gateway_txn_no  VARCHAR(128) NOT NULL,
  amount          DECIMAL(20,3) NOT NULL,
  currency        VARCHAR(3)   NOT NULL COMMENT 'empty where no money is named',
  reason          VARCHAR(255) NOT NULL,
  trace_id        VARCHAR(64)  NOT NULL,
  created_time    DATETIME(3)  NULL,
  PRIMARY KEY (order_no, version),
  KEY idx_pay_no (pay_no),
  KEY idx_gateway_txn (gateway, gateway_txn_no)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS t_ledger_entry (
  order_no        VARCHAR(32)  NOT NULL,
  version         INT          NOT NULL COMMENT 'of the payments'' fact that it is',
  side            VARCHAR(6)   NOT NULL COMMENT 'DEBIT or CREDIT',
  shop_id         BIGINT       NOT NULL,
  account         VARCHAR(96)  NOT NULL,
  amount          DECIMAL(20,3) NOT NULL COMMENT 'debit positive, credit negative: all sum to zero',
  currency        CHAR(3)      NOT NULL,
  pay_no          VARCHAR(64)  NOT NULL,
  refund_no       VARCHAR(64)  NOT NULL,
  trace_id        VARCHAR(64)  NOT NULL,
  created_time    DATETIME(3)  NULL,
  PRIMARY KEY (order_no, version, side),
  KEY idx_account (account)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
