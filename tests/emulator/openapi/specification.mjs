// GHL's own OpenAPI files as a list of operations, references resolved, objects closed, known defects mended.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const FILES = ['contacts', 'locations', 'opportunities', 'calendars', 'oauth'];

// What the live service adds to an answer and no file says: ids for support, the change of a tag call, the page mark
// of a search, the full name beside its parts (facts of the API, §2.2 and §3.1; seen in public integrations).
const LIVE_ADDITIONS = {
  traceId: { type: 'string' },
  error: { type: 'string' },
  meta: { type: 'object' },
  tagsAdded: { type: 'array', items: { type: 'string' } },
  tagsRemoved: { type: 'array', items: { type: 'string' } },
  searchAfter: { type: 'array' },
  name: { type: 'string' },
};

const text = { type: 'string' };
const filter = {
  type: 'object',
  properties: { field: text, operator: text, value: {}, group: { enum: ['AND', 'OR'] }, filters: { type: 'array' } },
  anyOf: [{ required: ['field', 'operator'] }, { required: ['group', 'filters'] }],
};

// The files' own faults, each with the reason why it is one. `mend` changes the resolved operation in place.
const DEFECTS = [
  {
    why: 'the body of POST /contacts/search is an empty object and its answers have no schema; live it needs ' +
      'locationId and pageLimit (issue #31)',
    method: 'post',
    path: '/contacts/search',
    mend(operation, common) {
      setRequest(operation, {
        type: 'object',
        required: ['locationId', 'pageLimit'],
        properties: {
          locationId: text, pageLimit: { type: 'integer' }, page: { type: 'integer' }, query: text,
          searchAfter: { type: 'array' }, filters: { type: 'array', items: filter }, sort: { type: 'array' },
        },
      });
      const contact = common.contact;
      setAnswer(operation, '200', {
        type: 'object',
        required: ['contacts', 'total'],
        properties: { contacts: { type: 'array', items: contact }, total: { type: 'integer' } },
      });
      for (const status of ['400', '401']) setAnswer(operation, status, common.errors[status]);
    },
  },
  {
    why: 'the stages of a pipeline are typed as arrays of arrays; each is an object with id, name and position',
    method: 'get',
    path: '/opportunities/pipelines',
    mend(operation) {
      answerSchema(operation, '200').properties.pipelines.items.properties.stages.items = {
        type: 'object', required: ['id', 'name'], properties: { id: text, name: text, position: { type: 'integer' } },
      };
    },
  },
  {
    why: 'the times of an event are typed as objects; they are ISO 8601 strings, as their own examples show',
    method: 'get',
    path: '/calendars/events/appointments/{eventId}',
    mend(operation) {
      const event = answerSchema(operation, '200').properties.event.properties;
      for (const name of ['startTime', 'endTime', 'dateAdded', 'dateUpdated']) event[name] = text;
    },
  },
];

function setRequest(operation, schema) {
  operation.requestBody = { required: true, content: { 'application/json': { schema } } };
}

function setAnswer(operation, status, schema) {
  operation.responses[status] = { description: '', content: { 'application/json': { schema } } };
}

function answerSchema(operation, status) {
  return operation.responses[status].content['application/json'].schema;
}

function load(file, cache) {
  if (!cache.has(file)) cache.set(file, JSON.parse(readFileSync(file, 'utf8')));
  return cache.get(file);
}

// A copy with every $ref replaced by what it names. v3 wraps one that stands alone in an allOf: it is unwrapped.
function resolved(node, file, cache, trail = []) {
  if (Array.isArray(node)) return node.map((item) => resolved(item, file, cache, trail));
  if (node === null || typeof node !== 'object') return node;
  if (typeof node.$ref === 'string') {
    const [other, pointer] = node.$ref.split('#');
    const target = other === '' ? file : join(dirname(file), other);
    const id = `${target}#${pointer}`;
    if (trail.includes(id)) throw new Error(`a schema names itself: ${id}`);
    let found = load(target, cache);
    for (const key of pointer.split('/').slice(1)) found = found[key.replaceAll('~1', '/').replaceAll('~0', '~')];
    if (found === undefined) throw new Error(`nothing at ${id}`);
    return resolved(found, target, cache, [...trail, id]);
  }
  const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, resolved(value, file, cache, trail)]));
  if (!Array.isArray(copy.allOf) || copy.allOf.length !== 1) return copy;
  const { allOf: [only], ...beside } = copy;
  return { ...beside, ...only };
}

// The files leave every object open; the live service refuses an unknown property, and an answer of ours with a
// property that GHL does not have would be our invention. So objects are closed here.
function close(schema, additions) {
  if (Array.isArray(schema)) return schema.forEach((item) => close(item, additions));
  if (schema === null || typeof schema !== 'object') return undefined;
  Object.entries(schema).forEach(([key, value]) => {
    if (key !== 'example' && key !== 'default' && key !== 'enum') close(value, additions);
  });
  if (schema.type === 'object' && schema.properties !== undefined && typeof schema.properties.type !== 'string') {
    schema.properties = { ...additions, ...schema.properties };
    schema.additionalProperties = false;
  }
  return undefined;
}

function closeOperation(operation) {
  for (const content of Object.values(operation.requestBody?.content ?? {})) close(content.schema, {});
  for (const answer of Object.values(operation.responses))
    for (const content of Object.values(answer.content ?? {})) close(content.schema, LIVE_ADDITIONS);
}

function pattern(path) {
  return new RegExp(`^${path.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`);
}

// Of the dated versions, or of `v3`.
export function loadOperations(folder, generation = 'dated') {
  const cache = new Map();
  const operations = [];
  for (const name of FILES) {
    const file = generation === 'v3' ? join(folder, 'v3', 'apps', `${name}-v3.json`) : join(folder, 'apps', `${name}.json`);
    for (const [path, methods] of Object.entries(load(file, cache).paths))
      for (const [method, raw] of Object.entries(methods))
        operations.push({ method, path, pattern: pattern(path), ...resolved(raw, file, cache) });
  }
  const at = (method, path) => operations.find((one) => one.method === method && one.path === path);
  const create = at('post', '/contacts/');
  const common = {
    contact: structuredClone(answerSchema(create, '201').properties.contact),
    errors: Object.fromEntries(['400', '401', '422'].map((status) => [status, answerSchema(create, status)])),
  };
  for (const defect of DEFECTS) defect.mend(at(defect.method, defect.path), common);
  for (const operation of operations) {
    // 422 comes from one validator in front of every endpoint, though not every operation lists it.
    if (operation.responses['422'] === undefined) setAnswer(operation, '422', structuredClone(common.errors['422']));
    closeOperation(operation);
  }
  // A literal path before one with a parameter in the same place: /contacts/search is not a contact.
  return operations.sort((a, b) => a.path.split('{').length - b.path.split('{').length);
}
