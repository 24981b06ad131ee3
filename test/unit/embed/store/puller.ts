/** Pulls the model that its argument names, as another process than the test's. */
import { pullModel } from '#embatch/embed/store/open-model.js';
import { recordingLogger } from '../../../support/recording-logger.js';

await pullModel(process.argv[2] ?? '', { precision: 'auto', log: recordingLogger() });
