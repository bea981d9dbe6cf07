/** The Kafka adapter keeps the promises of the log port, on a real broker. */
import { KafkaLog } from '../../services/platform/kafka/log.ts';
import { kafkaBrokers } from '../support/broker.ts';
import { describeLog } from './log.ts';

const silent = { warn: () => {}, debug: () => {} };

describeLog('kafka log', {
  open: () => new KafkaLog({ brokers: kafkaBrokers(), clientId: 'conformance', logger: silent }),
});
