// The validator can fail: each planted mistake is reported, and the right call beside it is not.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import test from 'node:test';
import { loadOperations } from './specification.mjs';
import { answerFaults, requestFaults } from './validate.mjs';

const folder = process.env.CLINIC_SHARED_GHL || process.env.CLINIC_SPEC_DEFAULT || '';
const present = existsSync(`${folder}/apps`);
const operations = present ? loadOperations(folder) : [];
const operationsOfV3 = present ? loadOperations(folder, 'v3') : [];
if (!present) console.log('skipped: GHL\'s OpenAPI files are not here (set CLINIC_SHARED_GHL)');

const headers = { Authorization: 'Bearer pit-x', Version: '2021-07-28', 'Content-Type': 'application/json' };
const request = (method, path, body, changes = {}) => ({
  method, path, headers: { ...headers, ...changes }, body: body === undefined ? '' : JSON.stringify(body),
});
const answer = (method, path, status, body) => ({ method, path, status, body: JSON.stringify(body) });
const location = 'CEdemoLocation000001';
const filter = { field: 'customFields.x', operator: 'eq', value: 'p' };

const RIGHT_REQUESTS = [
  request('POST', '/contacts/', { locationId: location, customFields: [{ id: 'a', field_value: 'b' }] }),
  request('POST', '/contacts/search', { locationId: location, pageLimit: 1, filters: [filter] }),
  request('DELETE', '/contacts/x/tags', { tags: ['a'] }),
  request('GET', `/locations/${location}`),
];
const WRONG_REQUESTS = {
  'a path that is not there': request('POST', '/contacts/lookup/it', {}),
  'a path without its slash': request('POST', '/contacts', { locationId: location }),
  'another method': request('PATCH', '/contacts/x', { dnd: true }),
  'no version': request('GET', `/locations/${location}`, undefined, { Version: undefined }),
  'the version of another module': request('PUT', '/contacts/x', { dnd: true }, { Version: '2021-04-15' }),
  'no token': request('GET', `/locations/${location}`, undefined, { Authorization: undefined }),
  'a required property missing': request('POST', '/contacts/', { firstName: 'p' }),
  'an unknown property': request('POST', '/contacts/', { locationId: location, mrn: '4711' }),
  'the location in an update': request('PUT', '/contacts/x', { locationId: location }),
  'a wrong type': request('PUT', '/contacts/x', { dnd: 'yes' }),
  'a value where field_value belongs': request('PUT', '/contacts/x', { customFields: [{ id: 'a', value: 'b' }] }),
  'tags that are one string': request('POST', '/contacts/x/tags', { tags: 'a' }),
  'a search without its location': request('POST', '/contacts/search', { pageLimit: 1 }),
  'a filter without its operator': request('POST', '/contacts/search',
    { locationId: location, pageLimit: 1, filters: [{ field: 'a', value: 'b' }] }),
  'a limit that is no number': request('GET', `/opportunities/search?location_id=${location}&limit=all`),
  'an unknown status': request('PUT', '/opportunities/x', { status: 'dreaming' }),
  'a body that is not JSON': { ...request('PUT', '/contacts/x'), body: '{' },
  'a body on a read': request('GET', '/contacts/x', { a: 1 }),
  'another content type': request('PUT', '/contacts/x', { dnd: true }, { 'Content-Type': 'text/plain' }),
};
const RIGHT_ANSWERS = [
  answer('POST', '/contacts/x/tags', 201, { tags: ['a'], tagsAdded: ['a'], traceId: 't' }),
  answer('PUT', '/contacts/x', 422, { statusCode: 422, message: ['a'], error: 'b' }),
  answer('GET', '/contacts/x', 429, { anything: 1 }),
];
const WRONG_ANSWERS = {
  'a status that is not described': answer('POST', '/contacts/x/tags', 200, { tags: [] }),
  'a wrong type': answer('GET', '/contacts/x', 200, { contact: { id: 1 } }),
  'an invented property': answer('GET', '/contacts/x', 200, { contact: { identifier: 'x' } }),
  'success spelled right': answer('PUT', '/contacts/x', 200, { succeeded: true }),
  'a custom field by its input name': answer('GET', '/contacts/x', 200,
    { contact: { customFields: [{ id: 'a', field_value: 'b' }] } }),
  'a message that is no array': answer('PUT', '/contacts/x', 422, { statusCode: 422, message: 'a' }),
  'a search without its total': answer('POST', '/contacts/search', 200, { contacts: [] }),
  'an appointment without its contact': answer('POST', '/calendars/events/appointments', 200, { id: 'x' }),
  'a body that is not JSON': { ...answer('GET', '/contacts/x', 200), body: '<html>' },
};

const v3 = { Version: 'v3' };
const RIGHT_IN_V3 = [
  request('POST', '/contacts/', { locationId: location, customFields: [{ id: 'a', fieldValue: 'b' }] }, v3),
  request('GET', `/opportunities/search?locationId=${location}&contactId=c`, undefined, v3),
];
const WRONG_IN_V3 = {
  'a dated version': request('GET', `/locations/${location}`),
  'a dated name in the query': request('GET', `/opportunities/search?location_id=${location}`, undefined, v3),
  'a channel by its dated name': request('PUT', '/contacts/x', { dndSettings: { SMS: { status: 'active' } } }, v3),
};
const WRONG_ANSWERS_IN_V3 = {
  'success spelled as before': answer('PUT', '/contacts/x', 200, { succeded: true }),
  'an appointment without its dates': answer('PUT', '/calendars/events/appointments/x', 200, { id: 'x' }),
};

const skip = present ? false : 'GHL\'s OpenAPI files are not here';
for (const right of RIGHT_REQUESTS)
  test(`takes ${right.method} ${right.path}`, { skip }, () => assert.deepEqual(requestFaults(operations, right), []));
for (const [what, wrong] of Object.entries(WRONG_REQUESTS))
  test(`reports a request with ${what}`, { skip }, () => assert.notDeepEqual(requestFaults(operations, wrong), []));
for (const right of RIGHT_ANSWERS)
  test(`takes the ${right.status} of ${right.method} ${right.path}`, { skip },
    () => assert.deepEqual(answerFaults(operations, right), []));
for (const [what, wrong] of Object.entries(WRONG_ANSWERS))
  test(`reports an answer with ${what}`, { skip }, () => assert.notDeepEqual(answerFaults(operations, wrong), []));
for (const right of RIGHT_IN_V3)
  test(`takes ${right.method} ${right.path} in v3`, { skip }, () => assert.deepEqual(requestFaults(operationsOfV3, right), []));
for (const [what, wrong] of Object.entries(WRONG_IN_V3))
  test(`reports a request in v3 with ${what}`, { skip }, () => assert.notDeepEqual(requestFaults(operationsOfV3, wrong), []));
for (const [what, wrong] of Object.entries(WRONG_ANSWERS_IN_V3))
  test(`reports an answer in v3 with ${what}`, { skip }, () => assert.notDeepEqual(answerFaults(operationsOfV3, wrong), []));
