import { readFile } from 'node:fs/promises';
import os from 'node:os';

/** What figures must be read beside: they mean nothing on another CPU. */
export async function machineFacts() {
  const cpuinfo = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  const flags = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.split(' ') ?? [];
  const telling = ['avx2', 'avx512f', 'avx512_vnni', 'avx_vnni', 'amx_int8'].filter((flag) =>
    flags.includes(flag),
  );
  const [cpu] = os.cpus();
  return (
    `${cpu?.model ?? os.arch()} × ${os.availableParallelism()} (${telling.join(' ') || 'no flags known'}), ` +
    `load ${os.loadavg()[0]?.toFixed(1)}, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`
  );
}
