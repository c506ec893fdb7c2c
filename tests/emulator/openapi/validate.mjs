// Validates recorded requests and answers against GHL's OpenAPI.
//
//   node validate.mjs [--v3] [--refusals] REQUESTS.jsonl ANSWERS.jsonl|- SPEC_DIR
//
// REQUESTS is what the emulator received (`--requests`), ANSWERS what it said (`--answers`), "-" for none. The folder
// with the files is SPEC_DIR, or what CLINIC_SHARED_GHL names. Exits 1 and lists what does not hold. With --refusals
// a request that was answered 4xx was meant to be wrong, and only its answer is looked at. With --v3 the files of that
// generation count, and not those of the dated versions.
import { existsSync, readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import requestValidator from 'openapi-request-validator';
import responseValidator from 'openapi-response-validator';
import { loadOperations } from './specification.mjs';

const RequestValidator = requestValidator.default;
const ResponseValidator = responseValidator.default;

// In no file, and still answered by the live service: the gateway's own statuses. Their bodies have no schema.
const UNDOCUMENTED = new Set([403, 404, 429, 500, 502, 503, 504]);

function lines(file) {
  return readFileSync(file, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line));
}

function parsed(body) {
  try {
    return { value: body === '' ? undefined : JSON.parse(body) };
  } catch {
    return { fault: 'the body is not JSON' };
  }
}

// Documented in the help centre and in no file (facts/ghl-api §1.2).
const ELSEWHERE = new Set(['POST /oauth/reconnect']);

function operationOf(operations, method, target) {
  const path = target.split('?')[0];
  for (const operation of operations) {
    const match = operation.method === method.toLowerCase() && operation.pattern.exec(path);
    if (match) return { operation, params: { ...match.groups } };
  }
  return undefined;
}

// A query is all text: what is described as a number is one where it reads as one.
function queryOf(text, parameters) {
  const isNumber = (name) => parameters.some((one) => one.in === 'query' && one.name === name && one.schema?.type === 'number');
  const entries = [...new URLSearchParams(text)];
  return Object.fromEntries(entries.map(([name, value]) => [name, isNumber(name) && /^\d+$/.test(value) ? Number(value) : value]));
}

function said(error) {
  const where = [error.location, error.path].filter((part) => part).join(' ');
  return `${where === '' ? '' : `${where}: `}${error.message}`;
}

export function requestFaults(operations, request) {
  if (ELSEWHERE.has(`${request.method} ${request.path}`)) return [];
  const found = operationOf(operations, request.method, request.path);
  if (!found) return ['no such operation'];
  const form = found.operation.requestBody?.content['application/x-www-form-urlencoded'] !== undefined;
  const { value, fault } = form ? { value: Object.fromEntries(new URLSearchParams(request.body)) } : parsed(request.body);
  if (fault) return [fault];
  const { parameters, requestBody } = found.operation;
  const faults = [];
  if (requestBody === undefined && value !== undefined) faults.push('a body where none is described');
  const headers = Object.fromEntries(Object.entries(request.headers).map(([key, one]) => [key.toLowerCase(), one]));
  if (found.operation.path !== '/oauth/token' && !/^Bearer \S+$/.test(headers.authorization ?? '')) faults.push('no bearer token');
  const query = queryOf(request.path.split('?')[1] ?? '', parameters ?? []);
  const outcome = new RequestValidator({ parameters: parameters ?? [], requestBody })
    .validateRequest({ headers, body: value, params: found.params, query });
  return faults.concat((outcome?.errors ?? []).map(said));
}

export function answerFaults(operations, answer) {
  if (ELSEWHERE.has(`${answer.method} ${answer.path}`) || answer.status === 0 || UNDOCUMENTED.has(answer.status)) return [];
  const found = operationOf(operations, answer.method, answer.path);
  if (!found) return ['no such operation'];
  const { value, fault } = parsed(answer.body);
  if (fault) return [fault];
  const responses = Object.fromEntries(Object.entries(found.operation.responses).filter(([, one]) => one.content));
  const outcome = new ResponseValidator({ responses }).validateResponse(answer.status, value);
  return (outcome?.errors ?? []).map(said);
}

function report(kind, index, line, faults) {
  for (const fault of faults)
    console.error(`${kind} ${index + 1}: ${line.method} ${line.path} -> ${line.status}: ${fault}`);
  return faults.length;
}

export function run(options) {
  const folder = process.env.CLINIC_SHARED_GHL || options.folder;
  if (!existsSync(`${folder}/apps`)) {
    console.log(`skipped: GHL's OpenAPI files are not here (set CLINIC_SHARED_GHL)`);
    return 0;
  }
  const operations = loadOperations(folder, options.generation);
  const requests = lines(options.requests);
  const answers = options.answers === '-' ? [] : lines(options.answers);
  let faults = requests.length === 0 ? report('requests', 0, { method: '', path: options.requests, status: '' }, ['empty']) : 0;
  requests.forEach((request, index) => {
    const meant = options.refusals && request.status >= 400 && request.status < 500;
    if (!meant) faults += report('request', index, request, requestFaults(operations, request));
  });
  answers.forEach((answer, index) => { faults += report('answer', index, answer, answerFaults(operations, answer)); });
  console.log(`${requests.length} requests, ${answers.length} answers, ${faults} faults`);
  return faults === 0 ? 0 : 1;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const flags = ['--refusals', '--v3'].filter((flag) => process.argv.includes(flag));
  const values = process.argv.slice(2).filter((value) => !flags.includes(value));
  if (values.length !== 3) {
    console.error('usage: node validate.mjs [--v3] [--refusals] REQUESTS.jsonl ANSWERS.jsonl|- SPEC_DIR');
    process.exit(2);
  }
  const [requests, answers, folder] = values;
  const generation = flags.includes('--v3') ? 'v3' : 'dated';
  process.exit(run({ requests, answers, folder, generation, refusals: flags.includes('--refusals') }));
}
